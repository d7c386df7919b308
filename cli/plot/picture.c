/* picture.c: what pictures are drawn of, and what they share. */
#include "picture.h"
#include "images.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PICTURE(name) &picture_##name,
const picture *const pictures[] = {
#include "pictures.def"
    NULL};
#undef PICTURE

const picture *picture_find(const char *what) {
    for (size_t i = 0; pictures[i]; i++)
        if (strcmp(pictures[i]->what, what) == 0) return pictures[i];
    return NULL;
}

/* ----------------------------------------------------------------- subjects */

const char *subject_name(const subject *s) { return s->run ? s->run : s->weights; }

const char *subject_image(const subject *s, size_t i, pool *owner) {
    const char *const name = ln_data_image_name(s->images, i), *const slash = name ? strrchr(name, '/') : NULL;
    return name ? slash ? slash + 1 : name : pool_format(owner, "no. %zu", ln_data_image_number(s->images, i));
}

/* Images drawn and known sets, which are no files, have two parts; of files some. */
static const char *part_of_set(const subject *s, const char *name, const char *part, pool *owner) {
    const char *const bare = pool_copy(owner, name, images_folder_length(name));
    const bool        parts = access(bare, F_OK) != 0 || ln_data_has_test(s->context, bare);
    return parts ? pool_format(owner, "%s:%s", bare, part) : name;
}

const char *subject_numbers(const subject *s, pool *owner) {
    const size_t n = ln_data_describe(s->images).n;
    bool         are_places = true;
    for (size_t i = 0; i < n; i++) are_places = are_places && ln_data_image_number(s->images, i) == i;
    if (are_places || ln_data_image_name(s->images, 0)) return NULL;
    if (!s->run || s->opened) return s->said;
    const char *const name = s->recipe.item[KEY_data_name].text, *const test = s->recipe.item[KEY_data_test].text;
    if (s->images != s->data.test) return part_of_set(s, name, "train", owner);
    return strcmp(test, "auto") == 0 ? part_of_set(s, name, "test", owner) : test;
}

/* A network is built for it again, as opening the data says how they are prepared, which the weights know. */
static bool open_recipe(subject *s, ln_error *error) {
    const char *const path = pool_format(&s->owner, "%s/recipe.yaml", s->run);
    if (!recipe_read(&s->recipe, path, NULL, 0, error)) return false;
    ln_model  *built = recipe_model(&s->recipe, s->context, error);
    const bool good = built && recipe_open_run(&s->recipe, s->context, built, &s->data, error);
    ln_model_free(built);
    if (!good) return false;
    s->images = s->data.test ? s->data.test : s->data.validation ? s->data.validation : s->data.train;
    s->set = s->data.test ? "test" : s->data.validation ? "validation" : "training";
    s->said = pool_format(&s->owner, "%s images", s->set);
    return true;
}

static bool open_images(subject *s, const char *images, ln_error *error) {
    const ln_reading reading = images_reading(s->model, images);
    s->opened = ln_data_open_as(s->context, images, "test", NULL, &reading, error);
    if (!s->opened) return false;
    images_fit(s->opened, s->model);
    if (ln_data_describe(s->opened).has_labels && !images_keep_known(s->opened, s->model, error)) return false;
    s->images = s->opened;
    s->said = pool_copy(&s->owner, images, strlen(images));
    return true;
}

bool subject_open(subject *s, const char *path, const char *images, ln_error *error) {
    if (is_folder(path)) {
        s->run = without_slash(&s->owner, path);
        s->weights = pool_format(&s->owner, "%s/weights/last.safetensors", s->run);
        s->pictures = pool_format(&s->owner, "%s/pictures", s->run);
    } else {
        const char *const run = run_of_weights(&s->owner, path);
        s->weights = path;
        s->pictures = run ? pool_format(&s->owner, "%s/pictures", run) : NULL;
    }
    s->model = ln_model_load(s->context, s->weights, error);
    if (!s->model) return false;
    return images ? open_images(s, images, error) : !s->run || open_recipe(s, error);
}

void subject_close(subject *s) {
    ln_data_free(s->opened);
    recipe_data_free(&s->data);
    ln_model_free(s->model);
    recipe_free(&s->recipe);
    pool_free(&s->owner);
    *s = (subject){0};
}

const char *needs_images(const subject *s) {
    return s->images ? NULL : "there are no images: name some behind the weights, such as mnist:test";
}

const char *needs_labels(const subject *s) {
    const char *const reason = needs_images(s);
    if (reason || ln_data_describe(s->images).has_labels) return reason;
    return "the images have no labels";
}

const char *layer_words(const ln_layer_info *layer, pool *owner) {
    const char *const init = strstr(layer->line, " init=");
    const int         n = init ? (int)(init - layer->line) : (int)strlen(layer->line);
    return pool_format(owner, "%s  %.*s", layer->name, n, layer->line);
}

/* ------------------------------------------------------------------- pixels */

uint32_t mixed_color(int a, int b, double share) {
    uint32_t color = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        const double from = a >> shift & 255, to = b >> shift & 255;
        color |= (uint32_t)(from + share * (to - from) + 0.5) << shift;
    }
    return color;
}

/* Of red, green and blue as an eye weighs them, from 0 to 1 (sRGB, IEC 61966-2-1). */
static double luminance(int color) {
    static const double weights[3] = {0.2126, 0.7152, 0.0722};
    double              sum = 0;
    for (int k = 0; k < 3; k++) {
        const double v = (color >> (16 - 8 * k) & 255) / 255.0;
        sum += weights[k] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return sum;
}

int readable_color(int background) {
    const double l = luminance(background) + 0.05;
    return l / 0.05 > 1.05 / l ? 0x000000 : 0xffffff;
}

uint32_t two_sided_color(double value) {
    const double size = value < 0 ? -value : value;
    return mixed_color(COLOR_PAPER, style_color(value < 0 ? 0 : 1), size > 1 ? 1 : size == size ? size : 0);
}

void two_sided_key(canvas *c, double x, double y, const char *words) {
    enum { STEPS = 64 };
    const font f = {.size = 12, .color = COLOR_DIM};
    uint32_t   pixels[STEPS];
    for (size_t i = 0; i < STEPS; i++) pixels[i] = two_sided_color(2.0 * (double)i / (STEPS - 1) - 1);
    canvas_image(c, (box){x, y - 6, 120, 12}, pixels, STEPS, 1, true);
    canvas_rect(c, (box){x, y - 6, 120, 12}, COLOR_NONE, COLOR_DIM);
    canvas_text(c, x + 130, y, f, words);
}

static double stored(const ln_data_info *info, const void *values, size_t i) {
    return info->is_float ? (double)((const float *)values)[i] : (double)((const uint8_t *)values)[i];
}

void image_pixels(const ln_data *data, size_t i, uint32_t *pixels) {
    const ln_data_info info = ln_data_describe(data);
    const void *const  values = ln_data_image(data, i);
    const size_t       area = info.h * info.w;
    double             low = 0, high = 255;
    for (size_t k = 0; info.is_float && k < info.c * area; k++) {
        const double v = stored(&info, values, k);
        if (k == 0 || v < low) low = v;
        if (k == 0 || v > high) high = v;
    }
    for (size_t k = 0; k < area; k++) {
        pixels[k] = 0;
        for (size_t shift = 0; shift < 3; shift++) {
            const size_t channel = info.c == 3 ? shift : 0;
            const double share = high > low ? (stored(&info, values, channel * area + k) - low) / (high - low) : 0;
            pixels[k] |= (uint32_t)(255 * (share > 0 ? share : 0) + 0.5) << (16 - 8 * shift);
        }
    }
}

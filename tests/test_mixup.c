/* mixup: which image and share are drawn, and what losses make of two labels, as an independent reference has it
 * (tests/golden/generate_mixup.py); gradients against differences in double precision; what a training is given, which
 * neither batches nor threads change; refusals. */
#include "data/augment.h"
#include "harness/op_run.h"
#include "harness/train.h"

#include <math.h>

static const ln_isa isas[] = {LN_ISA_PLAIN, LN_ISA_NEON, LN_ISA_AVX2, LN_ISA_AVX512, LN_ISA_F64};
enum { N_ISAS = sizeof isas / sizeof *isas, MOST = 40, MOST_OUTPUTS = 7 };

static bool available(ln_isa isa) { return isa == LN_ISA_F64 || ln_isa_available(isa); }

static ln_augment read_augment(const char *text) {
    ln_augment augment;
    ln_error   error = {0};
    if (ln_augment_parse(text, &augment, &error) != LN_OK) fail_msg("%s", error.message);
    return augment;
}

static void get(FILE *file, void *to, size_t size, size_t n) { assert_int_equal(fread(to, size, n, file), n); }

static FILE *open_golden(uint32_t *n) {
    FILE *const file = fopen(LN_SOURCE_DIR "/tests/golden/mixup.bin", "rb");
    char        magic[8];
    assert_non_null(file);
    get(file, magic, 8, 1);
    assert_memory_equal(magic, "LNMIXUP1", 8);
    get(file, n, 4, 1);
    return file;
}

/* ------------------------------------------------------------------- draws */

typedef struct drawn {
    double   alpha;
    uint64_t seed;
    uint32_t image, epoch, n, place;
    double   share;
} drawn;

/* Images of one byte, whose number is in no way their value. */
static void compare_draw(ln_context *context, const drawn *d) {
    char                       line[40];
    uint8_t                    x = 0, y;
    _Alignas(64) unsigned char spare[256];
    uint8_t *const             pixels = net_must(calloc(d->n, 1));
    ln_data *const             data = ln_data_from_bytes(context, pixels, NULL, d->n, 1, 1, 1, NULL);
    const ln_frame             frame = ln_frame_of(data);
    snprintf(line, sizeof line, "mixup %g", d->alpha);
    const ln_augment augment = read_augment(line);
    assert_true(ln_augment_spare_bytes(&augment, &frame) <= sizeof spare);
    const ln_occasion at = {d->seed, d->epoch, d->image, data};
    const ln_mate     mate = ln_augment_image(&augment, &frame, at, &x, &y, spare);
    assert_int_equal(mate.place, d->place);
    if (fabs((double)mate.share - d->share) > 1e-6)
        fail_msg("%s: a share of %g, but %g was wanted", line, (double)mate.share, d->share);
    ln_data_free(data);
    free(pixels);
}

static void test_draws(void **state) {
    (void)state;
    uint32_t          n;
    FILE *const       file = open_golden(&n);
    ln_context *const context = net_context(NULL, 1);
    assert_true(n >= 18);
    for (uint32_t i = 0; i < n; i++) {
        drawn d;
        get(file, &d, sizeof d, 1);
        compare_draw(context, &d);
    }
    ln_context_free(context);
    fclose(file);
}

/* Beta(a, a) has the mean ½ and the variance 1 / (4 (2a + 1)); of a = ½ a third lies below ¼. */
static void test_distribution(void **state) {
    (void)state;
    enum { N = 20000 };
    static const double alphas[] = {0.2, 0.5, 1, 8};
    for (size_t k = 0; k < 4; k++) {
        char      line[40];
        ln_random random = ln_random_at(6, LN_RANDOM_CHECK, (uint32_t)k, 0);
        double    sum = 0, squares = 0, low = 0;
        snprintf(line, sizeof line, "mixup alpha=%g", alphas[k]);
        const ln_augment augment = read_augment(line);
        for (int i = 0; i < N; i++) {
            const double s = augment.step[0].kind->share(augment.step[0].args, &random);
            assert_true(s >= 0 && s <= 1);
            sum += s, squares += (s - 0.5) * (s - 0.5), low += s < 0.25;
        }
        assert_true(fabs(sum / N - 0.5) < 0.012);
        assert_true(fabs(squares / N * 4 * (2 * alphas[k] + 1) - 1) < 0.03);
        if (k == 1) assert_true(fabs(low / N - 1.0 / 3) < 0.015);
    }
}

/* ------------------------------------------------------------------ losses */

typedef struct loss_case {
    char     line[64];
    uint32_t n, k;
    int32_t  first[MOST], second[MOST];
    float    share[MOST], x[MOST * MOST_OUTPUTS];
    double   loss[MOST], gradient[MOST * MOST_OUTPUTS];
    uint8_t  hit[MOST];
} loss_case;

static void read_case(FILE *file, loss_case *c) {
    get(file, c, 72, 1);
    assert_true(c->n <= MOST && c->k <= MOST_OUTPUTS);
    get(file, c->first, 4, c->n);
    get(file, c->second, 4, c->n);
    get(file, c->share, 4, c->n);
    get(file, c->x, 4, c->n * c->k);
    get(file, c->loss, 8, c->n);
    get(file, c->gradient, 8, c->n * c->k);
    get(file, c->hit, 1, c->n);
}

static op_result run_case(const loss_case *c, const float *x, ln_isa isa) {
    const op_run run = {.line = c->line,
                        .isa = isa,
                        .n = c->n,
                        .in = {{c->k, 1, 1}},
                        .x = {x},
                        .label = c->first,
                        .second = c->second,
                        .share = c->share};
    op_result    r;
    ln_error     error = {0};
    if (!op_run_all(&run, &r, &error)) fail_msg("%s: %s", c->line, error.message);
    if (r.fault[0]) fail_msg("%s: %s", c->line, r.fault);
    return r;
}

static void check_near(const loss_case *c, const char *what, size_t i, double got, double wanted, double tolerance) {
    if (!(fabs(got - wanted) <= tolerance * (1 + fabs(wanted))))
        fail_msg("%s, %u images: %s %zu is %.9g, and %.9g was wanted", c->line, c->n, what, i, got, wanted);
}

/* The batch's loss moved by a step in each value, in double precision. */
static void check_differences(const loss_case *c, const op_result *r, double weight) {
    const double step = 0x1p-12;
    for (size_t i = 0; i < (size_t)c->n * c->k; i += 5) {
        double sum[2] = {0};
        float  x[MOST * MOST_OUTPUTS], at[2];
        memcpy(x, c->x, sizeof x);
        for (int side = 0; side < 2; side++) {
            x[i] = at[side] = c->x[i] + (float)(side ? step : -step);
            op_result moved = run_case(c, x, LN_ISA_F64);
            for (size_t k = 0; k < c->n; k++) sum[side] += moved.out[k];
            op_result_free(&moved);
        }
        check_near(c, "difference", i, r->din[0][i], weight * (sum[1] - sum[0]) / (double)(at[1] - at[0]), 3e-6);
    }
}

static void test_losses(void **state) {
    (void)state;
    uint32_t    n;
    FILE *const file = open_golden(&n);
    fseek(file, (long)(n * sizeof(drawn)), SEEK_CUR);
    get(file, &n, 4, 1);
    assert_true(n >= 33);
    for (uint32_t i = 0; i < n; i++) {
        static loss_case c;
        read_case(file, &c);
        for (size_t k = 0; k < N_ISAS; k++) {
            if (!available(isas[k])) continue;
            op_result    r = run_case(&c, c.x, isas[k]);
            const double tolerance = isas[k] == LN_ISA_F64 ? 1e-7 : 2e-5;
            for (size_t j = 0; j < c.n; j++) check_near(&c, "loss", j, r.out[j], c.loss[j], tolerance);
            for (size_t j = 0; j < c.n * c.k; j++) check_near(&c, "gradient", j, r.din[0][j], c.gradient[j], tolerance);
            assert_memory_equal(r.hit, c.hit, c.n);
            const ln_labels labels = {c.first, c.second, c.share};
            if (isas[k] == LN_ISA_F64) check_differences(&c, &r, r.node.op->weight(&r.node, &labels, c.n));
            op_result_free(&r);
        }
    }
    fclose(file);
}

/* Without shares the second labels change nothing, and the bits are those of one label. */
static void test_no_share(void **state) {
    (void)state;
    static const char *const lines[] = {"cross_entropy label_smoothing=0.1", "nll weight=1,2,3,4", "mse",
                                        "half_squared", "bce_with_logits"};
    enum { N = 19, K = 4 };
    float   x[N * K], share[N] = {0};
    int32_t first[N], second[N];
    for (int i = 0; i < N * K; i++) x[i] = (float)(i * 37 % 23) / 5 - 3;
    for (int i = 0; i < N; i++) first[i] = i % K, second[i] = (i + 1) % K;
    for (size_t l = 0; l < 5; l++) {
        op_run    run = {.line = lines[l], .isa = ln_isa_best(), .n = N, .in = {{K, 1, 1}}, .x = {x}, .label = first};
        op_result one, two;
        assert_true(op_run_all(&run, &one, NULL));
        run.second = second, run.share = share;
        assert_true(op_run_all(&run, &two, NULL));
        assert_memory_equal(one.out, two.out, N * sizeof *one.out);
        assert_memory_equal(one.din[0], two.din[0], (size_t)N * K * sizeof *one.out);
        op_result_free(&one);
        op_result_free(&two);
    }
}

/* ---------------------------------------------------------------- training */

enum { SIDE = 6, N_PIXELS = SIDE * SIDE, N_IMAGES = 50, N_CLASSES = 3 };
static const char *const net[] = {"flatten", "linear 3", NULL};

typedef struct images {
    uint8_t pixels[N_IMAGES][N_PIXELS], labels[N_IMAGES];
} images;

static void draw_images(images *set) {
    ln_random random = ln_random_at(5, LN_RANDOM_CHECK, 0, 0);
    for (size_t i = 0; i < N_IMAGES; i++) {
        for (size_t k = 0; k < N_PIXELS; k++) set->pixels[i][k] = (uint8_t)ln_random_below(&random, 256);
        set->labels[i] = (uint8_t)(i % N_CLASSES);
    }
}

static ln_data *open_images(ln_context *context, const images *set) {
    return ln_data_from_bytes(context, set->pixels[0], set->labels, N_IMAGES, 1, SIDE, SIDE, NULL);
}

/* Every image is another one's mixture by the share that is told, of both as what stands before has made them, and the
 * rows of a part are those of the whole. */
static void test_images(void **state) {
    (void)state;
    static images     set;
    ln_error          error = {0};
    ln_mixture        m[N_IMAGES], part[7];
    size_t            n_leading = 0;
    ln_context *const context = net_context(NULL, 1);
    draw_images(&set);
    ln_data *const data = open_images(context, &set);
    ln_data *const before = ln_data_augmented(data, "flip 0.5, noise 3", 4, 2, &error);
    ln_data *const seen = ln_data_augmented_rows(data, 0, N_IMAGES, "flip 0.5, noise 3, mixup 1", 4, 2, m, &error);
    ln_data *const few = ln_data_augmented_rows(data, 9, 7, "flip 0.5, noise 3, mixup 1", 4, 2, part, &error);
    if (!before || !seen || !few) fail_msg("%s", error.message);
    for (size_t i = 0; i < N_IMAGES; i++) {
        const uint8_t *const x = ln_data_image(before, i), *const y = ln_data_image(seen, i);
        size_t n_found = 0;
        for (size_t j = 0; j < N_IMAGES; j++) {
            const uint8_t *const z = ln_data_image(before, j);
            bool                 is = ln_data_label(before, j) == m[i].other;
            for (size_t k = 0; k < N_PIXELS && is; k++) is = fabs(y[k] - (x[k] + m[i].share * (z[k] - x[k]))) < 0.501;
            n_found += is;
        }
        assert_true(n_found >= 1);
        n_leading += m[i].share > 0.5;
        assert_int_equal(ln_data_label(seen, i), m[i].share > 0.5 ? m[i].other : set.labels[i]);
    }
    assert_in_range(n_leading, 12, 38);
    for (size_t i = 0; i < 7; i++) {
        assert_memory_equal(ln_data_image(few, i), ln_data_image(seen, 9 + i), N_PIXELS);
        assert_true(part[i].other == m[9 + i].other && part[i].share == m[9 + i].share);
    }
    ln_data_free(few);
    ln_data_free(seen);
    ln_data_free(before);
    ln_data_free(data);
    ln_context_free(context);
}

/* What stands behind the mixing changes the mixture: a flip behind it is one of both before it. */
static void test_behind(void **state) {
    (void)state;
    static images     set;
    ln_error          error = {0};
    ln_context *const context = net_context(NULL, 1);
    draw_images(&set);
    ln_data *const data = open_images(context, &set);
    ln_data *const plain = ln_data_augmented(data, "mixup 1", 4, 2, &error);
    ln_data *const behind = ln_data_augmented(data, "mixup 1, flip 1, contrast 1 1", 4, 2, &error);
    if (!plain || !behind) fail_msg("%s", error.message);
    for (size_t i = 0; i < N_IMAGES; i++)
        for (size_t k = 0; k < N_PIXELS; k++)
            assert_int_equal(((const uint8_t *)ln_data_image(plain, i))[k],
                             ((const uint8_t *)ln_data_image(behind, i))[k / SIDE * SIDE + SIDE - 1 - k % SIDE]);
    ln_data_free(behind);
    ln_data_free(plain);
    ln_data_free(data);
    ln_context_free(context);
}

static bool keep_progress(void *user, const ln_progress *progress) {
    if (progress->epoch_done) *(ln_progress *)user = *progress;
    return true;
}

/* What a training of one epoch reports, and the weights it leaves, to be freed. */
static ln_metrics train(const images *set, int n_threads, size_t batch, const char *optimizer, float **weights,
                        size_t *n_bytes) {
    const train_set  of = {.pixels = set->pixels[0],
                           .labels = set->labels,
                           .n = N_IMAGES,
                           .in = {1, SIDE, SIDE},
                           .lines = net,
                           .loss = "cross_entropy label_smoothing=0.1"};
    ln_progress      p = {0};
    ln_train_options options = LN_TRAIN_OPTIONS;
    options.batch = batch;
    options.epochs = 1;
    options.seed = 8;
    options.optimizer = optimizer;
    options.augment = "shift 1, mixup 0.7";
    options.progress = keep_progress;
    options.user = &p;
    *weights = train_weights(&of, n_threads, &options, n_bytes);
    return p.train;
}

static double loss_by(const float *logits, int label) {
    double z = 0, loss = 0;
    for (int c = 0; c < N_CLASSES; c++) z += exp((double)logits[c]);
    for (int c = 0; c < N_CLASSES; c++)
        loss += ((c == label ? 0.9 : 0) + 0.1 / N_CLASSES) * (log(z) - (double)logits[c]);
    return loss;
}

/* What a network as it is initialised makes of the images that the first epoch sees, by their labels and shares. */
static ln_metrics expected(const images *set) {
    ln_error          error = {0};
    ln_mixture        m[N_IMAGES];
    ln_metrics        sum = {.n = N_IMAGES};
    float             logits[N_IMAGES * N_CLASSES];
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = net_model(context, (ln_shape){1, SIDE, SIDE}, net);
    ln_data *const    data = open_images(context, set);
    ln_data *const    seen = ln_data_augmented_rows(data, 0, N_IMAGES, "shift 1, mixup 0.7", 8, 1, m, &error);
    if (!seen || ln_predict(model, seen, 16, logits, NULL, &error) != LN_OK) fail_msg("%s", error.message);
    for (size_t i = 0; i < N_IMAGES; i++) {
        const float *const x = logits + i * N_CLASSES;
        const int          own = set->labels[i], leader = m[i].share > 0.5 ? m[i].other : own;
        int                best = 0;
        for (int c = 1; c < N_CLASSES; c++) best = x[c] > x[best] ? c : best;
        sum.loss += ((1 - m[i].share) * loss_by(x, own) + m[i].share * loss_by(x, m[i].other)) / N_IMAGES;
        sum.n_correct += best == leader;
    }
    ln_data_free(seen);
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
    return sum;
}

/* At a rate of almost 0 the loss tells what the network was given, in batches of any size. */
static void test_training(void **state) {
    (void)state;
    static images set;
    const size_t  batches[] = {20, 7, N_IMAGES};
    draw_images(&set);
    const ln_metrics wanted = expected(&set);
    for (size_t i = 0; i < 3; i++) {
        size_t           n_bytes;
        float           *weights;
        const ln_metrics got = train(&set, 2, batches[i], "sgd lr=1e-12", &weights, &n_bytes);
        free(weights);
        if (fabs(got.loss - wanted.loss) > 1e-5 || got.n_correct != wanted.n_correct)
            fail_msg("batch %zu: loss %.7f, %zu right, but %.7f and %zu were wanted", batches[i], got.loss,
                     got.n_correct, wanted.loss, wanted.n_correct);
    }
}

static void test_threads(void **state) {
    (void)state;
    static images set;
    size_t        n_bytes;
    float        *one, *other;
    draw_images(&set);
    train(&set, 1, 20, "sgd lr=0.01", &one, &n_bytes);
    for (int n_threads = 2; n_threads <= 3; n_threads++) {
        train(&set, n_threads, 20, "sgd lr=0.01", &other, &n_bytes);
        assert_memory_equal(one, other, n_bytes);
        free(other);
    }
    free(one);
}

/* ---------------------------------------------------------------- refusals */

static void test_refusals(void **state) {
    (void)state;
    static images     set;
    ln_error          error = {0};
    ln_augment        augment;
    const char       *option = NULL;
    ln_train_options  options = LN_TRAIN_OPTIONS;
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = net_model(context, (ln_shape){1, SIDE, SIDE}, net);
    draw_images(&set);
    ln_data *const data = open_images(context, &set);
    assert_int_equal(ln_augment_parse("mixup 0", &augment, &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "mixup: alpha=0 is outside 0.01 to 1000");
    assert_int_equal(ln_augment_parse("mixup, shift 2, mixup 3", &augment, &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "augmentation mixup: images are mixed twice, and two labels are the most that "
                                       "are kept: leave one out");
    options.augment = "shift 1, mixup";
    assert_int_equal(ln_model_set_loss(model, "multi_margin", &error), LN_OK);
    assert_int_equal(ln_train_check(model, data, &options, &option, &error), LN_E_UNSUPPORTED);
    assert_string_equal(option, "augment");
    assert_string_equal(error.message,
                        "layer loss (multi_margin): it takes one label of an image, and augmentation mixup "
                        "gives images two: leave that out, or take the loss cross_entropy");
    assert_null(ln_data_augmented_rows(data, 48, 3, "mixup", 1, 1, NULL, &error));
    assert_string_equal(error.message,
                        "ln_data_augmented: 3 images from 48 on, but there are 50; ask for some of them");
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws),    cmocka_unit_test(test_distribution), cmocka_unit_test(test_losses),
        cmocka_unit_test(test_no_share), cmocka_unit_test(test_images),       cmocka_unit_test(test_behind),
        cmocka_unit_test(test_training), cmocka_unit_test(test_threads),      cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

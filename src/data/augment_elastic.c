/* elastic: every pixel moved a little, its neighbours alike
 *
 *   y[i][j] = x at (i + alpha · V[i][j], j + alpha · U[i][j]), interpolated (data/warp.h), U and V white noise
 *   even in ±1, blurred by a Gaussian of deviation sigma whose weights sum to 1 and that is cut off at 3 sigma
 *
 * A field so smooth need not be computed at every pixel: it is drawn at nodes s = ⌊sigma⌋ pixels apart, blurred by
 * sigma / s of these, and interpolated between them. Noise of the nodes is 1/s as large, which leaves the blurred field
 * as it is, and then a little larger by what interpolation takes of its variance: for t from node to node that is
 * (1 - t)² + t² + 2 t (1 - t) ρ along either axis, ρ = exp(-s² / 4 sigma²) being the nodes' correlation. Noise goes on
 * beyond the border, so that the field is everywhere as large.
 * Source: Simard, Steinkraus, Platt, "Best practices for convolutional neural networks applied to visual document
 * analysis", 2003. */
#include "base/math.h"
#include "data/warp.h"

enum { MOST_RADIUS = 6 }; /* sigma / s is below 2 */

typedef struct elastic_args {
    double alpha, sigma;
} elastic_args;

static const ln_attr attrs[] = {{.key = "alpha",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(elastic_args, alpha),
                                 .positional = true,
                                 .preset = 34,
                                 .low = 0,
                                 .high = 10000,
                                 .help = "pixels that a blurred 1 moves a pixel"},
                                {.key = "sigma",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(elastic_args, sigma),
                                 .positional = true,
                                 .preset = 4,
                                 .low = 1,
                                 .high = 100,
                                 .help = "deviation of the blur, in pixels"},
                                {0}};

/* The nodes of a field, noise around them, and where they lie in work. */
typedef struct nodes {
    size_t s, radius; /* pixels from node to node; nodes that the blur reaches to either side */
    size_t h, w;      /* nodes */
    size_t noise_h, noise_w;
} nodes;

static nodes nodes_of(const elastic_args *a, const ln_frame *f) {
    const size_t s = (size_t)a->sigma;
    const double reach = 3 * a->sigma / (double)s;
    nodes        n = {.s = s, .radius = (size_t)reach + ((double)(size_t)reach < reach)};
    n.h = (f->h + s - 2) / s + 2;
    n.w = (f->w + s - 2) / s + 2;
    n.noise_h = n.h + 2 * n.radius;
    n.noise_w = n.w + 2 * n.radius;
    return n;
}

static ln_status check(const void *args, const ln_frame *f, ln_error *error) {
    (void)args;
    return ln_warp_check("elastic", f, error);
}

static size_t whole_lines(size_t n_bytes) { return (n_bytes + 63) / 64 * 64; }

/* Noise, noise blurred down the columns, the nodes of a field; and of both fields these with columns between. */
static size_t field_floats(const nodes *n, size_t w) {
    return (n->noise_h + n->h) * n->noise_w + n->h * n->w + 2 * n->h * w;
}

static size_t work_bytes(const void *args, const ln_frame *f) {
    const nodes n = nodes_of(args, f);
    return whole_lines(ln_warp_bytes(f)) + field_floats(&n, f->w) * sizeof(float);
}

/* Weights of the blur to one side, their sum over both being `sum`. */
static void weights(const nodes *n, double sigma, double sum, float k[MOST_RADIUS + 1]) {
    const double each = (double)n->s / sigma;
    double       value[MOST_RADIUS + 1] = {0}, all = 0;
    for (size_t r = 0; r <= n->radius; r++) {
        const double x = (double)r * each;
        value[r] = ln_exp_double(-0.5 * x * x);
        all += r ? 2 * value[r] : value[r];
    }
    for (size_t r = 0; r <= n->radius; r++) k[r] = (float)(value[r] * (sum / all));
}

/* What the fields are multiplied by along each axis: see the top. */
static double gain(const nodes *n, double sigma) {
    const double s = (double)n->s, rho = ln_exp_double(-s * s / (4 * sigma * sigma));
    double       kept = 0;
    for (size_t j = 0; j < n->s; j++) {
        const double t = (double)j / s;
        kept += (1 - t) * (1 - t) + t * t + 2 * t * (1 - t) * rho;
    }
    return 1 / ln_sqrt(kept / s);
}

/* Even in ±1, from a byte each. */
static void noise(ln_random *random, float *restrict x, size_t n) {
    enum { AT_ONCE = 64 };
    uint32_t words[AT_ONCE];
    for (size_t i = 0; i < n; i += 4 * AT_ONCE) {
        const size_t n_now = n - i < 4 * AT_ONCE ? n - i : 4 * AT_ONCE;
        ln_random_words(random, words, (n_now + 3) / 4);
        for (size_t j = 0; j < n_now; j++)
            x[i + j] = (float)(int32_t)(words[j / 4] >> (8 * (j % 4)) & 255) * (1.0f / 128) - (255.0f / 256);
    }
}

/* y[j] = Σ k[|r|] x[j + r step], x pointing to the first one's middle */
static void blur(const float *restrict x, size_t step, size_t n, const float *restrict k, size_t radius,
                 float *restrict y) {
    for (size_t j = 0; j < n; j++) y[j] = k[0] * x[j];
    for (size_t r = 1; r <= radius; r++) {
        const float *const before = x - r * step, *const after = x + r * step;
        for (size_t j = 0; j < n; j++) y[j] += k[r] * (before[j] + after[j]);
    }
}

/* The columns between those of the nodes. */
static void widen(const nodes *n, const float *restrict node, size_t w, float *restrict row) {
    const float share = 1 / (float)(int32_t)n->s;
    for (size_t j = 0; j < w; node++) {
        const float  slope = (node[1] - node[0]) * share;
        const size_t end = j + n->s < w ? j + n->s : w;
        for (float t = 0; j < end; t++) row[j++] = node[0] + slope * t;
    }
}

/* A field: n->h rows of w. */
static void draw(const nodes *n, ln_random *random, const float *k, size_t w, float *work, float *field) {
    float *const columns = work + n->noise_h * n->noise_w, *const node = columns + n->h * n->noise_w;
    noise(random, work, n->noise_h * n->noise_w);
    for (size_t i = 0; i < n->h; i++) {
        float *const row = columns + i * n->noise_w;
        blur(work + (i + n->radius) * n->noise_w, n->noise_w, n->noise_w, k, n->radius, row);
        blur(row + n->radius, 1, n->w, k, n->radius, node + i * n->w);
        widen(n, node + i * n->w, w, field + i * w);
    }
}

/* place[j] = first + step j + what the field has between its rows a and b */
static void displace(const float *restrict a, const float *restrict b, float t, size_t n, float first, float step,
                     float *restrict place) {
    for (size_t j = 0; j < n; j++) place[j] = first + step * (float)(int32_t)j + (a[j] + t * (b[j] - a[j]));
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const elastic_args *const a = args;
    const nodes               n = nodes_of(a, f);
    const ln_warp             warp = ln_warp_of(f, from, work);
    float *const              room = (float *)(void *)((unsigned char *)work + whole_lines(ln_warp_bytes(f)));
    float *const u = room + field_floats(&n, 0), *const v = u + n.h * f->w;
    float k[MOST_RADIUS + 1] = {0};
    weights(&n, a->sigma, gain(&n, a->sigma) * ln_sqrt(a->alpha / (double)n.s), k);
    draw(&n, random, k, f->w, room, u);
    draw(&n, random, k, f->w, room, v);
    for (size_t i = 0; i < f->h; i++) {
        const size_t at = i / n.s * f->w;
        const float  t = (float)(int32_t)(i % n.s) / (float)(int32_t)n.s;
        displace(u + at, u + at + f->w, t, f->w, 0, 1, warp.u + i * f->w);
        displace(v + at, v + at + f->w, t, f->w, (float)(int32_t)i, 0, warp.v + i * f->w);
    }
    ln_warp_sample(&warp, to);
}

const ln_augmentation ln_augmentation_elastic = {
    .name = "elastic",
    .help = "every pixel moved a little, its neighbours alike",
    .attrs = attrs,
    .args_size = sizeof(elastic_args),
    .check = check,
    .work_bytes = work_bytes,
    .change = change,
};

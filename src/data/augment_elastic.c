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

static size_t whole_lines(size_t n_bytes) { return (n_bytes + 63) / 64 * 64; }

/* Noise, noise blurred down the columns, and along the rows too: all of noise_w columns; and of both fields these with
 * columns between. Each with room for a spill. */
typedef struct rooms {
    size_t noise, columns, nodes, field, all; /* in floats; where the first three begin, and how large the last are */
} rooms;

static rooms rooms_of(const nodes *n, size_t w) {
    rooms r = {.noise = 0, .field = n->h * w + n->s + LN_SPILL};
    r.columns = n->noise_h * n->noise_w + LN_SPILL;
    r.nodes = r.columns + n->h * n->noise_w + LN_SPILL;
    r.all = r.nodes + n->h * n->noise_w + LN_SPILL;
    return r;
}

static size_t work_bytes(const void *args, const ln_frame *f) {
    const nodes n = nodes_of(args, f);
    const rooms r = rooms_of(&n, f->w);
    return whole_lines(ln_warp_bytes(args, f)) + (r.all + 2 * r.field) * sizeof(float);
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

/* Even in ±1, from a byte of a word each. */
static void noise(const ln_frame *f, ln_random *random, float *x, size_t n) {
    enum { AT_ONCE = 64 };
    uint32_t words[AT_ONCE + LN_AUGMENT_SPILL];
    for (size_t i = 0; i < n; i += 4 * AT_ONCE) {
        const size_t n_now = n - i < 4 * AT_ONCE ? n - i : 4 * AT_ONCE;
        ln_augment_words(f, random, words, (n_now + 3) / 4);
        f->pixels->even(words, n_now, x + i);
    }
}

/* A field: n->h rows of w. Rows are blurred as one long row; what that makes of the seams is not used. */
static void draw(const nodes *n, const ln_frame *f, ln_random *random, const float *k, float *work, float *field) {
    const rooms  r = rooms_of(n, f->w);
    float *const columns = work + r.columns, *const node = work + r.nodes;
    const size_t n_all = n->h * n->noise_w;
    noise(f, random, work, n->noise_h * n->noise_w);
    f->pixels->blur(work + n->radius * n->noise_w, n->noise_w, n_all, k, n->radius, columns);
    f->pixels->blur(columns + n->radius, 1, n_all - 2 * n->radius, k, n->radius, node);
    for (size_t i = 0; i < n->h; i++)
        f->pixels->stretch(node + i * n->noise_w, (f->w + n->s - 1) / n->s, n->s, field + i * f->w);
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const elastic_args *const a = args;
    const nodes               n = nodes_of(a, f);
    const ln_warp             warp = ln_warp_of(f, from, work);
    float *const              room = (float *)(void *)((unsigned char *)work + whole_lines(ln_warp_bytes(args, f)));
    const rooms               r = rooms_of(&n, f->w);
    float *const u = room + r.all, *const v = u + r.field;
    float k[MOST_RADIUS + 1] = {0};
    weights(&n, a->sigma, gain(&n, a->sigma) * ln_sqrt(a->alpha / (double)n.s), k);
    draw(&n, f, random, k, room, u);
    draw(&n, f, random, k, room, v);
    for (size_t i = 0; i < f->h; i++) {
        const size_t at = i / n.s * f->w;
        const float  t = (float)(int32_t)(i % n.s) / (float)(int32_t)n.s;
        f->pixels->displace(u + at, u + at + f->w, t, f->w, 0, 1, warp.u + i * f->w);
        f->pixels->displace(v + at, v + at + f->w, t, f->w, (float)(int32_t)i, 0, warp.v + i * f->w);
    }
    ln_warp_sample(&warp, to);
}

const ln_augmentation ln_augmentation_elastic = {
    .name = "elastic",
    .help = "every pixel moved a little, its neighbours alike",
    .attrs = attrs,
    .args_size = sizeof(elastic_args),
    .check = ln_warp_check,
    .work_bytes = work_bytes,
    .change = change,
};

/* mixup: each image mixed with another one of the training, and its label likewise
 *
 *   y = λ x + (1 - λ) x′, and the image's loss is λ times that by its own label and 1 - λ times that by the other's;
 *   λ is drawn from Beta(alpha, alpha), and x′ evenly among the training images, itself included
 *
 * alpha below 1 leaves most images nearly as they are, 1 draws λ evenly, more mixes by halves. What stands before it in
 * the list has changed both images, each as this epoch changes it anyway; what stands behind changes the mixture.
 * x′ and λ are drawn by seed, epoch and image: the paper's code mixes a batch with a permutation of itself, which would
 * make them depend on the batch's size and order too.
 *
 * A symmetric beta number is (1 + T / √(2 alpha + T²)) / 2 with T of Student's distribution with 2 alpha degrees of
 * freedom, T = √(2 alpha (u^(-1/alpha) - 1)) cos 2πv (Bailey), u and v uniform; with w = u^(1/alpha) and c = cos 2πv
 * it is (1 + c √(1 - w) / √(w + (1 - w) c²)) / 2, where nothing overflows.
 * Source: Zhang, Cissé, Dauphin, Lopez-Paz, "mixup: Beyond empirical risk minimization", 2018; Bailey, "Polar
 * generation of random variates with the t-distribution", 1994. */
#include "base/math.h"
#include "data/augment.h"

typedef struct mixup_args {
    double alpha;
} mixup_args;

static const ln_attr attrs[] = {
    {.key = "alpha",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(mixup_args, alpha),
     .positional = true,
     .preset = 0.2,
     .low = 0.01,
     .high = 1000,
     .help = "of Beta(alpha, alpha), from which shares are drawn: large ones mix by halves"},
    {0}};

static double share(const void *args, ln_random *random) {
    const mixup_args *const a = args;
    const double            u = 1 - ln_random_uniform(random), v = ln_random_uniform(random);
    const double            w = ln_exp_double(ln_log_double(u) / a->alpha), c = ln_cos_pi(v <= 0.5 ? 2 * v : 2 - 2 * v);
    const double            square = w + (1 - w) * c * c;
    return square > 0 ? (1 + c * ln_sqrt(1 - w) / ln_sqrt(square)) / 2 : 0.5;
}

const ln_augmentation ln_augmentation_mixup = {
    .name = "mixup",
    .help = "each image mixed with another one, and what is wanted of it likewise",
    .attrs = attrs,
    .args_size = sizeof(mixup_args),
    .share = share,
};

/* predict_ask.c: what one network says of images, or several together. */
#include "cli.h"
#include "images.h"
#include "predict.h"

#include <stdlib.h>
#include <string.h>

/* The class that an image's outputs say: the largest output, where there is one for each class. */
static size_t said_by(const answers *a, const float *logits, const float *probabilities) {
    return a->k == a->n_classes ? place_of_largest(logits, a->k) : place_of_largest(probabilities, a->n_classes);
}

/* Adds what member m says of the n images from row a->n on; votes[image][class] counts who says so. */
static bool ask(prediction *p, size_t m, const ln_data *data, size_t *votes, ln_error *error) {
    answers     *a = &p->answers;
    const size_t n = ln_data_describe(data).n;
    float *const logits = take(n * a->k, sizeof *logits), *const shares = take(n * a->n_classes, sizeof *shares);
    const bool  good = ln_predict(p->members[m].model, data, n == 1 ? 1 : 64, logits, shares, error) == LN_OK;
    const float weight = 1 / (float)p->n_members;
    for (size_t i = 0; i < n && good; i++) {
        const size_t said = said_by(a, logits + i * a->k, shares + i * a->n_classes);
        votes[i * a->n_classes + said]++;
        p->members[m].n_right += a->truth[a->n + i] == (int64_t)said;
        for (size_t j = 0; j < a->k; j++) a->logits[(a->n + i) * a->k + j] += weight * logits[i * a->k + j];
        for (size_t j = 0; j < a->n_classes; j++)
            a->probabilities[(a->n + i) * a->n_classes + j] += weight * shares[i * a->n_classes + j];
    }
    free(logits);
    free(shares);
    return good;
}

/* Shares of the votes in place of probabilities, which decide between equally many; the class that wins. */
static size_t elect(const prediction *p, const size_t *votes, float *shares) {
    size_t best = 0;
    for (size_t j = 1; j < p->answers.n_classes; j++)
        if (votes[j] > votes[best] || (votes[j] == votes[best] && shares[j] > shares[best])) best = j;
    for (size_t j = 0; j < p->answers.n_classes; j++) shares[j] = (float)votes[j] / (float)p->n_members;
    return best;
}

static bool ask_all(prediction *p, const ln_data *data, ln_error *error) {
    answers      *a = &p->answers;
    const size_t  n = ln_data_describe(data).n;
    size_t *const votes = take(n * a->n_classes, sizeof *votes);
    bool          good = true;
    for (size_t m = 0; m < p->n_members && good; m++) good = ask(p, m, data, votes, error);
    for (size_t i = 0; i < n && good; i++) {
        float *const shares = a->probabilities + (a->n + i) * a->n_classes;
        a->labels[a->n + i] =
            (int64_t)(p->votes ? elect(p, votes + i * a->n_classes, shares) : place_of_largest(shares, a->n_classes));
    }
    free(votes);
    return good;
}

/* One network's own values, to the bit. */
static bool ask_one(prediction *p, const ln_data *data, ln_error *error) {
    answers     *a = &p->answers;
    const size_t n = ln_data_describe(data).n;
    float *const logits = a->logits + a->n * a->k, *const shares = a->probabilities + a->n * a->n_classes;
    if (ln_predict(p->model, data, n == 1 ? 1 : 64, logits, shares, error) != LN_OK) return false;
    for (size_t i = 0; i < n; i++)
        a->labels[a->n + i] = (int64_t)said_by(a, logits + i * a->k, shares + i * a->n_classes);
    return true;
}

bool predict_answer(prediction *p, const ln_data *data, const origin *of, ln_error *error) {
    answers     *a = &p->answers;
    const size_t n = ln_data_describe(data).n;
    answers_reserve(a, n);
    for (size_t i = 0; i < n; i++) {
        a->truth[a->n + i] = of->truth ? of->truth[i] : images_answer(p->model, of->named, ln_data_label(data, i));
        a->files[a->n + i] = of->files ? of->files[i] : NULL;
        a->number[a->n + i] = of->number ? of->number[i] : of->first + i;
    }
    memset(a->logits + a->n * a->k, 0, n * a->k * sizeof *a->logits);
    memset(a->probabilities + a->n * a->n_classes, 0, n * a->n_classes * sizeof *a->probabilities);
    if (!(p->n_members == 1 ? ask_one(p, data, error) : ask_all(p, data, error))) return false;
    for (size_t i = a->n; i < a->n + n; i++) {
        a->n_labelled += a->truth[i] >= 0;
        a->n_right += a->truth[i] == a->labels[i];
    }
    a->n += n;
    return true;
}

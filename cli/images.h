/* images.h: the images a verb or a recipe is given, what they are called, and how they look. */
#ifndef LN_CLI_IMAGES_H
#define LN_CLI_IMAGES_H

#include "linnet.h"
#include "text.h"

/* What linnet help images says: how images are named everywhere. */
extern const char images_help[];

/* Lines of as many values as the model's input has become images of its shape. */
void images_fit(ln_data *data, const ln_model *model);
/* The output that stands for a label of data: by its name, where data name their classes, or where the network was
 * trained on some labels only. -1: none does. */
int images_answer(const ln_model *model, const ln_data *data, int label);
/* The label that is written so: a class's name, or else a number. 0 where there are no labels. */
bool images_label(const ln_data *data, const char *word, int *label, ln_error *error);
/* What to say of a set without labels: where they are looked for. */
const char *images_labels_place(const char *name, pool *owner);
/* Leaves of labelled images those whose labels (or names of classes) the network was trained on, numbered as its
 * outputs. */
bool images_keep_known(ln_data *data, const ln_model *model, ln_error *error);
/* A picture, also of a kind that is not read: by its name, or else by its first bytes. */
bool images_is_picture(const char *path);
/* The pictures that lie in a folder, by name, as PATH/NAME; 0 where there are none, as in a folder of classes. */
size_t images_in_folder(const char *path, const char ***names, pool *owner);
/* The folders in a folder, likewise: those of its classes. */
size_t images_folders_in(const char *path, const char ***names, pool *owner);
/* Of a folder's name without the part that it may end in: photos:test is a part of photos. */
size_t images_folder_length(const char *name);
/* How images of that name are read for the model: as its training images were, and pictures in folders of classes so
 * that they have the size and the channels that it takes, as single pictures do. */
ln_reading images_reading(const ln_model *model, const char *name);
/* Images from to from+n-1 of data as a set of their own; inverted turns bytes over (255 - value). Memory is the
 * pool's and must live as long as the result. */
ln_data *images_part(ln_context *context, const ln_data *data, size_t from, size_t n, bool inverted, pool *owner,
                     ln_error *error);
/* n*c*h*w values from the first n images, as the network wants them. The caller frees. */
float *images_floats(const ln_data *data, size_t n, ln_preprocess how);

/* Image i drawn with characters: *n_rows lines of `columns` characters, dots of braille or grey letters. */
const char **images_draw(const ln_data *data, size_t i, size_t columns, bool utf8, size_t *n_rows, pool *owner);

#endif

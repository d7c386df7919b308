/* linnet.h: train and run convolutional networks from C.
 *
 * The short way, in the order one writes it: a context, a model, data, `ln_train`, `ln_predict`, `ln_model_save`.
 * Handles are opaque and belong to whoever called `_new`, `_open` or `_load`; `_free(NULL)` does nothing.
 * Two contexts may be used from two threads at once; one context, and what was made from it, by one at a time.
 * Every function that can fail takes a last argument `ln_error *` (or NULL), fills it, and says so by its result;
 * outputs are set on success only. The library never prints, exits or aborts.
 * Shapes are n (images), c (channels), h (rows), w (columns); values are float32 unless said otherwise. */
#ifndef LINNET_H
#define LINNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(LN_SHARED)
#define LN_API __attribute__((visibility("default")))
#else
#define LN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ errors */

typedef enum ln_status {
    LN_OK = 0,
    LN_E_ARGUMENT,    /* a value the caller gave is out of range, unknown or of the wrong type */
    LN_E_MEMORY,      /* the allocator returned NULL */
    LN_E_IO,          /* a file or folder could not be opened, read, written or renamed */
    LN_E_FORMAT,      /* a file is truncated, damaged, hostile or not of the kind it claims */
    LN_E_SHAPE,       /* sizes that do not fit each other */
    LN_E_UNSUPPORTED, /* well formed, but more than this build can do */
    LN_E_NOT_FINITE,  /* a loss or gradient is NaN or infinite; nothing was updated */
    LN_E_INTERRUPTED  /* a callback asked to stop */
} ln_status;

typedef struct ln_error {
    ln_status status;
    char      message[504]; /* one sentence: who, what was found, what was wanted, what to do */
} ln_error;

/* "linnet 0.1.0" and nothing else. */
LN_API const char *ln_version(void);

/* ----------------------------------------------------------------- context */

typedef struct ln_context ln_context;

typedef struct ln_allocator {
    void *(*allocate)(void *user, size_t n_bytes, size_t alignment); /* NULL when there is none left */
    void (*release)(void *user, void *memory, size_t n_bytes);
    void *user;
} ln_allocator;

typedef struct ln_context_options {
    size_t              size;                  /* sizeof(ln_context_options); set by LN_CONTEXT_OPTIONS */
    int                 n_threads;             /* 0: LINNET_THREADS, or as many as this process may use */
    const char         *isa;                   /* NULL: LINNET_ISA, or the best: "plain", "avx2", "avx512", "neon" */
    const ln_allocator *allocator;             /* NULL: malloc's; copied */
    void (*log)(void *user, const char *line); /* warnings, a sentence each; NULL: dropped */
    void *log_user;
    /* Bytes of values up to which a data set lies in memory; a larger one lies in a file without a name in the cache
     * folder ($LINNET_CACHE, $XDG_CACHE_HOME/linnet, ~/.cache/linnet), whose pages come and go as they are used:
     * slower, else the same. 0: LINNET_DATA_MEMORY (MiB), or half of what the machine has free. */
    size_t data_memory;
} ln_context_options;
#define LN_CONTEXT_OPTIONS \
    { .size = sizeof(ln_context_options) }

/* options may be NULL. Fails on an unknown or unavailable instruction set, n_threads < 0 or > 1024, or memory. */
LN_API ln_context *ln_context_new(const ln_context_options *options, ln_error *error);
LN_API void        ln_context_free(ln_context *context);
LN_API int         ln_context_threads(const ln_context *context);
LN_API const char *ln_context_isa(const ln_context *context);
/* False where the processor lacks fused multiply-add: everything works, but the bits differ from other machines'. */
LN_API bool ln_context_exact(const ln_context *context);
/* Bytes that all handles of this context hold now, and the most they ever held (the allocator's view). */
LN_API void ln_context_memory(const ln_context *context, size_t *n_bytes_now, size_t *n_bytes_peak);

/* Whoever waits for long work may watch it: reading a folder of pictures, ln_data_write, ln_evaluate, ln_predict and
 * ln_check_new then call watch, on the thread that they were called on and at most ten times a second, with what is
 * done ("predicting") and how many of its n things (images, files, probes) are done; work shorter than that calls
 * nothing. watch returns false to stop the work: it ends with LN_E_INTERRUPTED, and nothing is half-written. Of work
 * that called it the last call has n_done = n, however the work ended. ln_train has a progress of its own. NULL: nobody
 * watches, as at first. */
LN_API void ln_context_watch(ln_context *context, bool (*watch)(void *user, const char *what, size_t n_done, size_t n),
                             void       *user);

/* -------------------------------------------------------------------- data */

/* A set of images with or without labels, kept as stored (uint8 or float32), n × c × h × w. */
typedef struct ln_data ln_data;

typedef struct ln_data_info {
    size_t n, c, h, w;
    bool   is_float; /* false: uint8 */
    bool   has_labels;
    int    n_classes; /* largest label + 1, or more if names say so; 0 without labels */
    size_t n_bytes;   /* held in memory, or in a file (ln_context_options.data_memory) */
} ln_data_info;

/* name: "mnist", "fashion-mnist", "kmnist" or "cifar10"; "points n=211 noise=0.3" or
 * "pictures n=1000 c=3 h=32 w=32", drawn; or the path of a file, whose contents say what it is: IDX images (with the
 * labels of a sibling "-labels-idx1-", where there is one), CSV, NPY (all three gzipped or not), NPZ, CIFAR-10's binary
 * files (one, or the folder of all), or a folder with a folder of pictures (PNG, JPEG, PGM, PPM) for each class, called
 * as the class is, in it or in its folders train and val (or test); what takes long to decode is kept in the cache
 * folder (see ln_context_options.data_memory), which may be deleted at any time, and holds 4 GiB at most. An image in a
 * CSV is a line of count values, and so count × 1 × 1: see ln_data_reshape.
 * split: "train" (also NULL) or "test", where the name has both; "NAME:train" and "NAME:test" choose it too.
 * A set by name is looked for in folder (may be NULL), $LINNET_DATA, the user's data folder ($XDG_DATA_HOME/linnet, or
 * ~/.local/share/linnet), beside the command and in the installed share folder, each time in a folder NAME, or of MNIST
 * in the place itself; the SHA-256 of IDX files is checked. `linnet data fetch NAME` puts it into the user's folder. */
LN_API ln_data *ln_data_open(ln_context *context, const char *name, const char *split, const char *folder,
                             ln_error *error);
/* What is done to images when they are read: first h x w (0: as they are; smaller by area, larger by interpolation),
 * then grey of red, green and blue (0.299, 0.587, 0.114), then bytes turned over (255 - value). */
typedef struct ln_reading {
    size_t h, w;
    bool   grayscale, invert;
} ln_reading;
/* ln_data_open with that done; reading may be NULL. What images of floats, or of other than 1 or 3 channels, cannot
 * have is refused. */
LN_API ln_data *ln_data_open_as(ln_context *context, const char *name, const char *split, const char *folder,
                                const ln_reading *reading, ln_error *error);
/* Has the set of that name test images, opened by "NAME:test": a known one, or a folder or NPZ with such a part? */
LN_API bool ln_data_has_test(ln_context *context, const char *name);
/* Copies nothing: pixels (uint8 or float32, n*c*h*w) and labels (n, or NULL) must outlive the handle. */
LN_API ln_data *ln_data_from_bytes(ln_context *context, const uint8_t *pixels, const uint8_t *labels, size_t n,
                                   size_t c, size_t h, size_t w, ln_error *error);
LN_API ln_data *ln_data_from_floats(ln_context *context, const float *pixels, const uint8_t *labels, size_t n, size_t c,
                                    size_t h, size_t w, ln_error *error);
/* A picture (PNG, JPEG, PGM or PPM of any size) as one unlabelled image of c × h × w: grey or colour, as c says, scaled
 * by area, or where it is smaller by interpolation, and laid over white where it is transparent.
 * *looks_inverted (may be NULL) becomes true when the border is lighter than the middle, unlike MNIST's. */
LN_API ln_data *ln_data_from_picture(ln_context *context, const char *path, size_t c, size_t h, size_t w,
                                     bool *looks_inverted, ln_error *error);
/* A photo of a digit, made into an image as MNIST's were: the ink found, whichever way round it and the paper are and
 * whatever shadow lies over both, light on 0, scaled to 20/28 of side, its centre of mass in the middle of
 * 1 × side × side (8 to 256). LN_E_FORMAT where there is no ink to be seen. */
LN_API ln_data *ln_data_from_photo(ln_context *context, const char *path, size_t side, ln_error *error);
/* Takes about fraction of the images (0 < fraction < 1), drawn by seed, out of data into the result; both views
 * share the pixels, which live until both are freed. Where classes have names, it is that fraction of every class. */
LN_API ln_data *ln_data_split(ln_data *data, double fraction, uint64_t seed, ln_error *error);
/* Keeps n images from image `first` (counted from 0), or those of n classes, which are then called 0, 1, … in the order
 * given. Both change data in place, and nothing when they fail; images keep their numbers for random draws. */
LN_API ln_status ln_data_keep_rows(ln_data *data, size_t first, size_t n, ln_error *error);
LN_API ln_status ln_data_keep_classes(ln_data *data, const int *classes, size_t n, ln_error *error);
/* The same values as images of another shape with as many; also for the views that share them. */
LN_API ln_status ln_data_reshape(ln_data *data, size_t c, size_t h, size_t w, ln_error *error);
/* Writes data to path in the format that path ends in, so that ln_data_open reads the same values and labels (by the
 * numbers that they have in the file: ln_data_class). With test (or NULL) both parts, which .npz alone can hold.
 *   .npz             arrays x_train, y_train, x_test and y_test, or x and y, of bytes or float32; images are
 *                    n × values, n × rows × columns or n × channels × rows × columns
 *   .csv             a line an image under a header label,pixel0,pixel1,…
 *   -idx3-ubyte      (or idx4, where there are channels) images whose name holds images-idx; labels beside them, named
 *                    with labels-idx1; .gz behind it packs both. .idx or .idx.gz: PATH-images-idx3-ubyte and
 *                    PATH-labels-idx1-ubyte for PATH.idx
 *   /                a folder with a folder of PNG pictures for each class, called by its name or else by its label;
 *                    pictures are called 00001.png, … by their numbers in data
 * Files are replaced as ln_file_write does; a folder must not be there, or be empty. IDX and pictures hold bytes alone.
 * CSV does not tell floats that are whole numbers 0 to 255 throughout from bytes. */
LN_API ln_status ln_data_write(ln_context *context, const char *path, const ln_data *data, const ln_data *test,
                               ln_error *error);
/* A PNG picture of h × w bytes (c 1: grey), or of red, green and blue planes (c 3), as ln_file_write writes. */
LN_API ln_status ln_picture_write(ln_context *context, const char *path, const uint8_t *pixels, size_t c, size_t h,
                                  size_t w, ln_error *error);
/* All images of data as PNG pictures FOLDER/NAME.png, by their names (n distinct ones of 1 to 250 bytes without '/');
 * the folder must be new or empty, and is there as a whole or not at all. */
LN_API ln_status ln_data_write_pictures(ln_context *context, const char *folder, const ln_data *data,
                                        const char *const *names, ln_error *error);
/* All of data's images as a training of this seed and `augment` sees them in an epoch (counted from 1), copied; of
 * mixed images with the label that has the larger share. */
LN_API ln_data *ln_data_augmented(const ln_data *data, const char *augment, uint64_t seed, uint64_t epoch,
                                  ln_error *error);
/* The n of them from `first` on. mixtures (n of them, or NULL) are told with what they were mixed: the other image's
 * label (-1: with none) and its share, 0 to 1. */
typedef struct ln_mixture {
    int    other;
    double share;
} ln_mixture;
LN_API ln_data *ln_data_augmented_rows(const ln_data *data, size_t first, size_t n, const char *augment, uint64_t seed,
                                       uint64_t epoch, ln_mixture *mixtures, ln_error *error);
/* The label that class i had in the file. */
LN_API int ln_data_class(const ln_data *data, int i);
/* Its name, as a folder of pictures or CIFAR-10 gives it; NULL where the format has none. */
LN_API const char  *ln_data_class_name(const ln_data *data, int i);
/* Image i's file below the folder that was opened, such as "cat/IMG_1.png" (or "test/cat/IMG_1.png", where that folder
 * has parts); valid until ln_data_free. NULL where images are no files of their own. i < n. */
LN_API const char *ln_data_image_name(const ln_data *data, size_t i);
/* The place, counted from 0, that image i has in the set as it was read: before rows and classes were chosen, and
 * before a part was split off. i < n. */
LN_API size_t ln_data_image_number(const ln_data *data, size_t i);
LN_API void         ln_data_free(ln_data *data);
LN_API ln_data_info ln_data_describe(const ln_data *data);
/* Image i's stored values, c*h*w of uint8_t or float; valid until ln_data_free. i < n. */
LN_API const void *ln_data_image(const ln_data *data, size_t i);
LN_API int         ln_data_label(const ln_data *data, size_t i); /* -1 without labels */

/* ------------------------------------------------------------------- model */

typedef struct ln_model ln_model;
typedef int             ln_layer; /* a layer's output, as the next layers' input; negative after an error */

/* A model for images of c × h × w. */
LN_API ln_model *ln_model_new(ln_context *context, size_t c, size_t h, size_t w, ln_error *error);
LN_API void      ln_model_free(ln_model *model);

/* Builder calls for the commonest layers and arguments; ln_model_add has all of them. They check everything; the first
 * error is kept in the model, makes every later call return -1, and is what ln_model_status, ln_train and the like then
 * report. Arguments are PyTorch's; 0 means its default. */
typedef struct ln_size2 {
    int h, w;
} ln_size2;
/* How parameters are drawn: for one layer, or (ln_model_set_init) for all that follow. */
typedef enum ln_init_kind {
    LN_INIT_PYTORCH = 0,     /* weight and bias uniform in ±1/sqrt(fan_in) */
    LN_INIT_KAIMING_UNIFORM, /* weight uniform in ±sqrt(6/fan_in), bias as `bias_std` says */
    LN_INIT_KAIMING_NORMAL,  /* weight normal, std sqrt(2/fan_in) */
    LN_INIT_XAVIER_UNIFORM,  /* weight uniform in ±sqrt(6/(fan_in+fan_out)) */
    LN_INIT_XAVIER_NORMAL,   /* weight normal, std sqrt(2/(fan_in+fan_out)) */
    LN_INIT_NORMAL           /* weight normal with deviation std */
} ln_init_kind;
/* std: of LN_INIT_NORMAL; biases are normal with bias_std (0: zeros) unless LN_INIT_PYTORCH. */
typedef struct ln_init {
    int    kind;
    double std, bias_std;
} ln_init;
typedef struct ln_conv2d_args {
    int      out_channels;
    ln_size2 kernel, stride, padding; /* stride 0: 1 */
    int      groups;                  /* 0: 1 */
    bool     no_bias;
} ln_conv2d_args;
typedef struct ln_pool2d_args {
    ln_size2 kernel, stride, padding;
} ln_pool2d_args; /* stride 0: kernel */

LN_API ln_layer ln_model_input(const ln_model *model);
LN_API void     ln_model_set_init(ln_model *model, ln_init init);
LN_API ln_layer ln_conv2d(ln_model *model, ln_layer input, ln_conv2d_args args);
LN_API ln_layer ln_maxpool2d(ln_model *model, ln_layer input, ln_pool2d_args args);
LN_API ln_layer ln_avgpool2d(ln_model *model, ln_layer input, ln_pool2d_args args);
LN_API ln_layer ln_linear(ln_model *model, ln_layer input, int out_features);
LN_API ln_layer ln_relu(ln_model *model, ln_layer input);
LN_API ln_layer ln_sigmoid(ln_model *model, ln_layer input);
LN_API ln_layer ln_tanh(ln_model *model, ln_layer input);
LN_API ln_layer ln_flatten(ln_model *model, ln_layer input);
LN_API ln_layer ln_add(ln_model *model, ln_layer a, ln_layer b);

/* Any layer with any of its arguments, as a recipe's line (`linnet help layers` has them, and the catalogue below):
 * "batchnorm2d", "conv2d 16 kernel=3 dilation=2 init=normal std=0.1 as c2", "add c2 from x". The input is the last
 * layer unless `from NAME`; `as NAME` names the output, which else is called by its number, the ln_layer returned: so
 * both kinds of calls mix, and "concat 3 from 5" joins what two of them made. The message names the offending word,
 * what is allowed and the nearest right word. */
LN_API ln_layer ln_model_add(ln_model *model, const char *line, ln_error *error);
/* "pytorch" or "normal std=1 bias_std=1" … for all layers that follow. */
LN_API ln_status ln_model_add_init(ln_model *model, const char *line, ln_error *error);
/* "cross_entropy reduction=sum"; default "cross_entropy". Set after the last layer. */
LN_API ln_status ln_model_set_loss(ln_model *model, const char *line, ln_error *error);
/* The kept error, or LN_OK. */
LN_API ln_status ln_model_status(const ln_model *model, ln_error *error);

/* How stored values become the network's: x = (value * scale - mean) / std, for every channel. Kept in the weights.
 * Default for uint8: scale 1/255, mean 0, std 1. */
typedef struct ln_preprocess {
    double scale, mean, std;
} ln_preprocess;
LN_API ln_status     ln_model_set_preprocess(ln_model *model, ln_preprocess preprocess, ln_error *error);
LN_API ln_preprocess ln_model_preprocess(const ln_model *model);
/* Mean and std of data's values after scaling by scale; the usual normalisation, fitted on the training images. */
LN_API ln_preprocess ln_data_fit(const ln_data *data, double scale);
/* Mean and std such that data's least value becomes low and its greatest high, after scaling by scale: (0, 1) is how
 * pixels are put between black and white. Where all values are the same they become low. */
LN_API ln_preprocess ln_data_fit_range(const ln_data *data, double scale, double low, double high);

/* What was done to the training images when they were read, and is to be done to others; kept in the weights. */
LN_API ln_status  ln_model_set_reading(ln_model *model, ln_reading reading, ln_error *error);
LN_API ln_reading ln_model_reading(const ln_model *model);

/* What the outputs stand for, in order; copied, kept in the weights. A training names them as the data do, or else
 * 0, 1, … when nobody has.
 * names are 1 to 255 bytes of UTF-8 without control characters. */
LN_API ln_status   ln_model_set_classes(ln_model *model, const char *const *names, size_t n, ln_error *error);
LN_API const char *ln_model_class(const ln_model *model, size_t i); /* NULL when output i has no name */

typedef struct ln_layer_info {
    const char *name; /* "0", or what `as` said */
    const char *op;   /* "conv2d" */
    const char *line; /* the layer as a recipe line, every argument that differs from its default */
    size_t      c, h, w;
    size_t      n_parameters;
    uint64_t    n_macs; /* multiply-accumulates for one image, padding counted */
} ln_layer_info;
LN_API size_t        ln_model_layer_count(const ln_model *model);
LN_API ln_layer_info ln_model_layer(const ln_model *model, size_t i);
LN_API void          ln_model_input_shape(const ln_model *model, size_t *c, size_t *h, size_t *w);
LN_API size_t        ln_model_outputs(const ln_model *model); /* values per image of the last layer */
/* Classes that the model's loss tells apart: as many as outputs, or two where one output decides. */
LN_API size_t ln_model_class_count(const ln_model *model);

typedef struct ln_parameter {
    const char *name; /* "0.weight" */
    size_t      rank, shape[4], count;
    float      *values;  /* PyTorch's order; may be read and written between calls */
    bool        learned; /* false: a buffer, such as a running mean: kept and saved, but no optimizer touches it */
} ln_parameter;
LN_API size_t       ln_model_parameter_count(const ln_model *model);
LN_API ln_parameter ln_model_parameter(const ln_model *model, size_t i);

/* Draws every parameter as its layer's init says. The same seed gives the same bits everywhere. */
LN_API ln_status ln_model_initialize(ln_model *model, uint64_t seed, ln_error *error);

typedef struct ln_memory {
    size_t training, inference; /* bytes beside data and program */
    int    training_threads;    /* of the context's, how many have enough to do in training */
} ln_memory;
/* What ln_trainer_new and ln_predict will take for this batch size and the context's threads, to the byte: activations,
 * gradients, optimizer state, packed weights. (Beside it: 4 bytes an image for their order, lists of pointers, and with
 * augment a batch of images as stored; with checkpoint a copy of parameters, optimizer state and best weights, where
 * these take 64 MiB at most.)
 * options say how it is trained (their batch is not looked at); NULL: as LN_TRAIN_OPTIONS. */
struct ln_train_options; /* below */
LN_API ln_status ln_model_memory(const ln_model *model, size_t batch, const struct ln_train_options *options,
                                 ln_memory *memory, ln_error *error);

/* safetensors with the model as JSON in the metadata; written beside, synced, renamed: never half a file. */
LN_API ln_status ln_model_save(const ln_model *model, const char *path, ln_error *error);
LN_API ln_model *ln_model_load(ln_context *context, const char *path, ln_error *error);

/* ---------------------------------------------------------------- training */

typedef struct ln_metrics {
    double loss, accuracy;
    size_t n, n_correct;
} ln_metrics; /* loss: mean per image */

/* Signs that nothing is learnt: what is the matter with the outputs. */
typedef enum ln_stall {
    LN_STALL_NONE,
    LN_STALL_NOTHING, /* the very same outputs for all images, from the first step on: a layer lets nothing through */
    LN_STALL_SMALL,   /* as good as the same, from the first step on: the weights are too small, or the rate is */
    LN_STALL_LOST,    /* they differed at the first step, and no longer do: the rate is probably too high */
    LN_STALL_GUESSING /* in the whole epoch no more hits than by naming one class, but for luck */
} ln_stall;

typedef struct ln_progress {
    size_t      epoch, n_epochs; /* epoch counts from 1 */
    size_t      step, n_steps;   /* within the epoch, after this step */
    size_t      total_step;
    double      seconds;    /* of training in this epoch so far */
    double      lr;         /* of the last step */
    bool        epoch_done; /* an epoch has been measured: what is below batch is set */
    ln_metrics  train;      /* running mean over this epoch */
    ln_metrics  batch;      /* of the last step's images */
    bool        has_validation, has_test;
    ln_metrics  validation, test;
    bool        best;          /* the best weights so far: by validation accuracy, or loss where equal */
    const char *monitor;       /* the column that early stopping looks at: "val_loss" */
    bool        monitor_best;  /* no measurement before had a better one */
    bool        stopped;       /* early stopping ends training here */
    ln_stall    stalled;       /* of a measured epoch: is nothing learnt? It is said once in a training */
    double      most_frequent; /* share of the training images that are of the most frequent class */
} ln_progress;

typedef struct ln_train_options {
    size_t         size;  /* sizeof(ln_train_options) */
    size_t         batch; /* images a step; the last one of an epoch may be smaller */
    size_t         epochs;
    const char    *optimizer; /* "sgd lr=0.05 momentum=0.9 nesterov=true weight_decay=1e-4", "adam lr=0.001" */
    const char    *schedule;  /* "constant", "step size=2 gamma=0.1", "cosine warmup=1" */
    uint64_t       seed;      /* of the order of the images, and of layers that draw */
    bool           in_order;  /* take the images as they lie, unshuffled */
    const char    *augment;   /* what is done to data's images, anew in every epoch: "shift 2", or several with commas
                              * between; "none" or NULL: nothing. Validation and test images stay as they are. */
    const ln_data *validation, *test; /* or NULL; measured after every `every`-th epoch, and the last */
    size_t         every;             /* epochs, 1 to 1000000; 0: 1 */
    /* How gradients become steps; 0 or false: not so. In this order: all gradients are scaled down to a Euclidean norm
     * of clip_norm, each of their elements is held within ±clip_value, and l2/m · w is added, m being the batch's
     * images: the gradient of the penalty l2/2m · Σ w², which the training loss reported includes (those of validation
     * and test do not). w are the weights, not biases, nor what begins as a constant, such as a batchnorm's scale. */
    double clip_norm, clip_value, l2;
    bool   decay_weights_only; /* the optimizer's weight_decay spares what l2 spares */
    /* Share that a moving average of the parameters keeps in every step: average ← ema·average + (1 - ema)·parameter,
     * beginning with what the first step leaves. Measuring after an epoch, the progress call after it, and the end find
     * the averages in the model. 0: none. */
    double ema;
    /* Early stopping: training ends, with LN_OK, when patience measurements in a row (0: never) have not improved the
     * monitor by more than min_delta: "train_loss", "val_accuracy", … (train, val or test, loss or accuracy); NULL or
     * "auto": val_loss where there are validation images, else train_loss. With restore_best, a training that was not
     * broken off ends with the parameters that had the best monitor. */
    const char *monitor;
    size_t      patience;
    double      min_delta; /* refused without patience */
    bool        restore_best;
    /* A file from which the training can go on to the same bits, with any number of threads and any instruction set.
     * NULL: none. It is begun after every measured epoch and when checkpoint_seconds have passed since the last one (0:
     * not), at the end, and when progress stops the training; always replaced as a whole, and synced. One of up to
     * 64 MiB is written beside the training, which does not wait: while one is written, the next waits its turn.
     * resume: goes on from the file where it is there, else from the model's weights. */
    const char *checkpoint;
    double      checkpoint_seconds;
    bool        resume;
    double     *own; /* n_own numbers of the caller's, kept as they are after a call of progress; ln_checkpoint_read */
    size_t      n_own;
    /* After each step (epoch_done false) and each measured epoch; return false to stop with the weights as they are. */
    bool (*progress)(void *user, const ln_progress *progress);
    void *user;
} ln_train_options;
#define LN_TRAIN_OPTIONS                                                                                     \
    {                                                                                                        \
        .size = sizeof(ln_train_options), .batch = 64, .epochs = 5, .optimizer = "sgd lr=0.05 momentum=0.9", \
        .schedule = "constant", .seed = 1                                                                    \
    }

/* Trains model on data from the weights it has (draw them first). LN_E_NOT_FINITE names step, layer, tensor, likely
 * cause and remedy, and leaves the weights from before that step; LN_E_INTERRUPTED when progress returned false. */
LN_API ln_status ln_train(ln_model *model, const ln_data *data, const ln_train_options *options, ln_error *error);
/* Would such a training begin? Refuses what ln_train refuses before its first step, but for lack of memory. data may be
 * NULL: then what depends on the images is not looked at. *option (may be NULL) becomes the name of the option that is
 * to blame, "schedule", or NULL where it is none of them. */
LN_API ln_status ln_train_check(ln_model *model, const ln_data *data, const ln_train_options *options,
                                const char **option, ln_error *error);
/* Is there such a monitor, and does a training with these images measure it? */
LN_API ln_status ln_monitor_check(const char *monitor, bool has_validation, bool has_test, ln_error *error);

/* What a checkpoint says of itself. */
enum { LN_CHECKPOINT_OWN = 64 };
typedef struct ln_checkpoint {
    uint64_t step; /* steps done, over all epochs */
    size_t   steps_per_epoch, n_epochs;
    bool     epoch_done; /* the epoch that ends with that step has been measured */
    bool     finished;   /* nothing is left to do: all epochs, or early stopping */
    size_t   n_own;
    double   own[LN_CHECKPOINT_OWN];
} ln_checkpoint;
LN_API ln_status ln_checkpoint_read(ln_context *context, const char *path, ln_checkpoint *checkpoint, ln_error *error);

/* The same by hand: a planned training whose steps allocate nothing. model and data must outlive it. */
typedef struct ln_trainer ln_trainer;
LN_API ln_trainer        *ln_trainer_new(ln_model *model, const ln_data *data, const ln_train_options *options,
                                         ln_error *error);
LN_API void               ln_trainer_free(ln_trainer *trainer);
LN_API size_t             ln_trainer_steps_per_epoch(const ln_trainer *trainer);
/* The next step in the epochs' order; *metrics (may be NULL) are the batch's. */
LN_API ln_status ln_trainer_step(ln_trainer *trainer, ln_metrics *metrics, ln_error *error);
/* A checkpoint of a training by hand, and back to it: the trainer must have been made with the same model, images and
 * options (epochs may be more, where the schedule does not depend on them); what differs first is named, with both
 * values, and nothing has changed. Restored once, ln_trainer_step goes on to the same bits. */
LN_API ln_status ln_trainer_save(ln_trainer *trainer, const char *path, ln_error *error);
LN_API ln_status ln_trainer_restore(ln_trainer *trainer, const char *path, ln_error *error);
/* options.ema: exchanges the model's parameters and their averages, to measure or save these; once more before the next
 * step. Does nothing before the first step, or without ema. */
LN_API void ln_trainer_swap_average(ln_trainer *trainer);
/* Bytes of the trainer's plan and of restore_best's copy; equals ln_model_memory's training. */
LN_API size_t ln_trainer_memory(const ln_trainer *trainer);

/* -------------------------------------------------------------- using them */

/* Loss and accuracy over labelled data; confusion (may be NULL) is classes × classes, [label][prediction].
 * LN_E_NOT_FINITE when the loss is. */
LN_API ln_status ln_evaluate(ln_model *model, const ln_data *data, size_t batch, ln_metrics *metrics,
                             uint64_t *confusion, ln_error *error);

/* Either may be NULL: logits n × outputs, and probabilities n × classes, as the model's loss reads the outputs. Fails
 * with LN_E_NOT_FINITE when an output is NaN or infinite. */
LN_API ln_status ln_predict(ln_model *model, const ln_data *data, size_t batch, float *logits, float *probabilities,
                            ln_error *error);

/* A planned prediction for one batch size, whose calls allocate nothing. At batch 1 it is laid out for latency.
 * images are rows of c*h*w float32, already preprocessed; logits n × outputs; n <= batch. */
typedef struct ln_predictor ln_predictor;
LN_API ln_predictor        *ln_predictor_new(ln_model *model, size_t batch, ln_error *error);
LN_API void                 ln_predictor_free(ln_predictor *predictor);
LN_API ln_status            ln_predictor_run(ln_predictor *predictor, const float *images, size_t n, float *logits,
                                             ln_error *error);
LN_API size_t               ln_predictor_memory(const ln_predictor *predictor);

/* Softmax of n rows of k logits, by the library's own exp: same bits everywhere. In place is fine. */
LN_API void ln_softmax(const float *logits, size_t n, size_t k, float *probabilities);

/* ---------------------------------------------------------- files of results */

/* An array for an NPZ file: n rows × k columns (k 1: a vector of n), or of `rank` sizes (1 to 4; 0: by n and k), each
 * below 2^32; of float32, int64, uint8 or n texts in UTF-8 (which NumPy has as '<U'): one of the four pointers. */
typedef struct ln_array {
    const char        *name;
    size_t             n, k;
    const float       *floats;
    const int64_t     *integers;
    const uint8_t     *bytes;
    size_t             rank, shape[4];
    const char *const *texts;
} ln_array;
LN_API ln_status ln_npz_write(ln_context *context, const char *path, const ln_array *arrays, size_t n_arrays,
                              ln_error *error);
/* Writes bytes to path as everything here is written: a temporary file beside it, synced, renamed. */
LN_API ln_status ln_file_write(ln_context *context, const char *path, const void *bytes, size_t n_bytes,
                               ln_error *error);

/* ----------------------------------------------------- checking and measuring */

/* Gradients against central differences in double precision, on the first images of data. Of a very large model some
 * tensors are probed, in one direction each, and all at once in one; the verdict says so. */
typedef struct ln_check_tensor {
    const char *name;             /* "3.weight", "input" */
    double      worst, direction; /* largest relative error of 64 entries, fewer where the model is large; of
                                         * one random direction */
    size_t      worst_index;
    double      analytic, numeric;    /* at worst_index */
    size_t      n_checked, n_skipped; /* skipped: a kink (ReLU, max) lies within the step */
} ln_check_tensor;
/* Health at the present weights, on real data, a line per layer. */
typedef struct ln_check_layer {
    const char *name, *op;
    double      activation_std, gradient_std; /* of the layer's output, and of the loss's gradient there */
    double      dead, saturated;              /* share of units, 0 to 1; NaN where the word has no meaning */
    char        warning[160];                 /* in words; empty when all is well */
} ln_check_layer;
typedef struct ln_check {
    size_t           n_tensors, n_layers;
    ln_check_tensor *tensors; /* worst first */
    ln_check_layer  *layers;  /* in order */
    bool             passed;  /* every relative error under tolerance */
    double           tolerance;
    char             verdict[240];
    ln_context      *context; /* whose memory this is */
} ln_check;
LN_API ln_check *ln_check_new(ln_model *model, const ln_data *data, size_t batch, uint64_t seed, ln_error *error);
LN_API void      ln_check_free(ln_check *check);

/* A look inside, for pictures and study: what images first to first + n - 1 of data are behind every layer, as in a
 * prediction, or, with training, as in a training step, which takes labels and has gradients of its loss. All of it is
 * held until ln_trace_free; nothing is learnt. model must outlive it. */
typedef struct ln_trace ln_trace;
LN_API ln_trace        *ln_trace_new(ln_model *model, const ln_data *data, size_t first, size_t n, bool training,
                                     ln_error *error);
LN_API void             ln_trace_free(ln_trace *trace);
/* n × c × h × w of the layer's output (c, h, w of ln_model_layer); -1 is the input. Gradients are 0 where no layer that
 * learns lies before. */
LN_API ln_status ln_trace_values(const ln_trace *trace, ln_layer layer, float *values, ln_error *error);
LN_API ln_status ln_trace_gradients(const ln_trace *trace, ln_layer layer, float *gradients, ln_error *error);
/* The gradient of ln_model_parameter(model, i), of as many elements; 0 for one that is not learned. */
LN_API ln_status ln_trace_parameter(const ln_trace *trace, size_t i, float *gradients, ln_error *error);

/* The machine's limit: fused multiply-adds of the context's instruction set on n_threads, best of several short
 * runs, in FLOP/s (an fma counts 2). */
LN_API ln_status ln_measure_fma_peak(ln_context *context, int n_threads, double *flops, ln_error *error);
/* What a layer's passes over a batch take on one thread, [0] forward and [1] backward. */
typedef struct ln_layer_time {
    double seconds[2]; /* median of the runs */
    double copying[2]; /* seconds that reading and writing its operands once takes, each from the cache or memory where
                        * it lies: at the pace of a copy, measured in the same call */
    double macs[2];    /* multiply-accumulates of the batch */
} ln_layer_time;
/* Measures every layer in n_runs (1 to 10000) training steps of a batch, without their update, and an update by
 * `optimizer` ("adam lr=0.001"), whose time is update->…[1]; without an optimizer (NULL) predictions of a batch, and no
 * update (which may then be NULL). layers has ln_model_layer_count entries. Weights, and what normalising layers keep,
 * stay as they are. */
LN_API ln_status ln_measure_layers(ln_model *model, size_t batch, const char *optimizer, size_t n_runs,
                                   ln_layer_time *layers, ln_layer_time *update, ln_error *error);

/* ---------------------------------------------------------------- the catalogue */

/* Layers, losses, optimizers, schedules, inits, augmentations and drawn data sets with their arguments (first its own,
 * then what every schedule, layer with parameters or data set takes), for help texts and completion. */
typedef enum ln_kind {
    LN_KIND_LAYER,
    LN_KIND_LOSS,
    LN_KIND_OPTIMIZER,
    LN_KIND_SCHEDULE,
    LN_KIND_INIT,
    LN_KIND_AUGMENTATION,
    LN_KIND_DATA
} ln_kind;
LN_API size_t      ln_catalogue_count(ln_kind kind);
LN_API const char *ln_catalogue_name(ln_kind kind, size_t i);
LN_API const char *ln_catalogue_help(ln_kind kind, size_t i); /* one line */
LN_API size_t      ln_catalogue_argument_count(ln_kind kind, size_t i);
/* "kernel (int or HxW, required, 1 to 1024): rows and columns …" into text of size bytes; returns the length needed, as
 * snprintf does; 0 for none. */
LN_API size_t ln_catalogue_argument(ln_kind kind, size_t i, size_t j, char *text, size_t size);
/* Checks and normalises a line ("sgd lr=0.1" …): LN_OK, or what is wrong with it. */
LN_API ln_status ln_catalogue_check(ln_kind kind, const char *line, ln_error *error);
/* The nearest of n words to word, or NULL when none is near. */
LN_API const char *ln_nearest_word(const char *word, const char *const *words, size_t n);
/* Number i of a stream of random numbers in [0, 1): a function of these three alone, and independent of all that the
 * library draws by the same seed. */
LN_API double ln_random_number(uint64_t seed, uint32_t stream, uint64_t i);

#ifdef __cplusplus
}
#endif
#endif

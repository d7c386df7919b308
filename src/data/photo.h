/* A photo of a digit made into an image as MNIST's were made: what ln_data_from_photo does to its pixels. */
#ifndef LN_DATA_PHOTO_H
#define LN_DATA_PHOTO_H

#include "base/context.h"

/* grey: h × w values of 0 … 255, 8 rows and columns at least. out: side × side, light ink on 0, the ink as large as
 * 20/28 of it and centred by its mass. LN_E_FORMAT where there is no ink to be seen; name stands in messages.
 * LN_PHOTO_SIDE: how large a photo is looked at first, and the largest side.
 * Source: Yann LeCun's description of MNIST's images (20×20, centre of mass in 28×28); Otsu, "A threshold selection
 * method from gray-level histograms", 1979, for the threshold. */
enum { LN_PHOTO_SIDE = 256 };
ln_status ln_photo_digit(ln_context *context, const char *name, const uint8_t *grey, size_t h, size_t w, size_t side,
                           uint8_t *out, ln_error *error);

#endif

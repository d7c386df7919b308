/* Checkpoints: a training as a file, from which it goes on to the same bits. */
#ifndef LN_TRAIN_CHECKPOINT_H
#define LN_TRAIN_CHECKPOINT_H

#include "io/safetensors.h"
#include "train/trainer.h"

/* States of up to so many bytes are copied, and written by a thread beside the training; the training waits while a
 * larger one is written. */
enum { LN_KEEPER_STAGED = 64 << 20 };

/* Takes the memory for checkpoints of trainer at options.checkpoint. Nothing of the trainer may move until it is freed.
 * Fails by lack of memory alone. */
ln_status ln_keeper_new(ln_trainer *trainer, ln_error *error);
/* After a step, or (measured) an epoch that was: begins a checkpoint when one is due and none is being written; one
 * that cannot begin now begins at the next call that finds the last one done. Fails when the last one has failed. */
ln_status ln_keeper_tick(ln_keeper *keeper, bool measured, ln_error *error);
/* Waits for the one that is being written. When another is due, or always with `anyway`, writes it too. */
ln_status ln_keeper_settle(ln_keeper *keeper, bool anyway, ln_error *error);
/* Waits, and frees. NULL is fine. */
void ln_keeper_free(ln_keeper *keeper);

/* The texts of a file, which must be a checkpoint's. */
ln_status ln_checkpoint_parse(const ln_safetensors *file, ln_checkpoint *found, ln_error *error);

#endif

/* tensorboard.c: TensorBoard's file of events.
 *
 *   file    one record after another
 *   record  n (8 bytes, lowest first), check of these 8, n bytes of an event, check of them
 *   check   CRC-32C turned right by 15 bits, plus a282ead8 (4 bytes, lowest first)
 *   event   a protocol buffer: 1 time (double), 2 step (varint), 3 version (text), 5 summary, 7 session
 *   session 1 status: 1 begins, and what other files of the run have from that step on holds no more
 *   summary 1, repeated: a value: 1 tag (text), 2 number (float)
 *
 * Source: TensorFlow's record_writer.cc, event.proto and summary.proto, as their documentation describes them. */
#include "tensorboard.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ records */

static uint32_t crc32c(const char *bytes, size_t n) {
    uint32_t crc = ~UINT32_C(0);
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

/* n bytes of value, lowest first. */
static void add_number(text *to, uint64_t value, size_t n) {
    for (size_t i = 0; i < n; i++) text_add_bytes(to, &(char){(char)(unsigned char)(value >> 8 * i)}, 1);
}

static void add_check(text *to, const char *bytes, size_t n) {
    const uint32_t crc = crc32c(bytes, n);
    add_number(to, (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8), 4);
}

static void add_record(text *to, const text *event) {
    const size_t length = to->n;
    add_number(to, event->n, 8);
    add_check(to, to->bytes + length, 8);
    text_add_bytes(to, event->bytes, event->n);
    add_check(to, event->bytes, event->n);
}

/* --------------------------------------------------------- protocol buffers */

enum { VARINT = 0, WORD_64 = 1, BYTES = 2, WORD_32 = 5 };

static void add_varint(text *to, uint64_t value) {
    for (; value >= 0x80; value >>= 7) add_number(to, (value & 0x7f) | 0x80, 1);
    add_number(to, value, 1);
}

static void add_key(text *to, unsigned field, unsigned type) { add_varint(to, field << 3 | type); }

static void add_bytes(text *to, unsigned field, const char *bytes, size_t n) {
    add_key(to, field, BYTES);
    add_varint(to, n);
    text_add_bytes(to, bytes, n);
}

static void add_scalar(text *summary, const char *tag, double number) {
    const float value = (float)number;
    uint32_t    bits;
    text        scalar = {0};
    memcpy(&bits, &value, sizeof bits);
    add_bytes(&scalar, 1, tag, strlen(tag));
    add_key(&scalar, 2, WORD_32);
    add_number(&scalar, bits, 4);
    add_bytes(summary, 1, scalar.bytes, scalar.n);
    text_free(&scalar);
}

static void add_time(text *event, double time) {
    uint64_t bits;
    memcpy(&bits, &time, sizeof bits);
    add_key(event, 1, WORD_64);
    add_number(event, bits, 8);
}

/* ---------------------------------------------------------------------- rows */

void tensorboard_begin(text *to, double time) {
    static const char version[] = "brain.Event:2";
    text              event = {0};
    add_time(&event, time);
    add_bytes(&event, 3, version, sizeof version - 1);
    add_record(to, &event);
    text_free(&event);
}

void tensorboard_resume(text *to, double time, uint64_t step) {
    text event = {0};
    add_time(&event, time);
    add_key(&event, 2, VARINT);
    add_varint(&event, step);
    add_bytes(&event, 7, "\x08\x01", 2);
    add_record(to, &event);
    text_free(&event);
}

static void add_metrics(text *summary, const char *of, const ln_metrics *m) {
    char tag[32];
    snprintf(tag, sizeof tag, "loss/%s", of);
    add_scalar(summary, tag, m->loss);
    snprintf(tag, sizeof tag, "accuracy/%s", of);
    add_scalar(summary, tag, m->accuracy);
}

void tensorboard_row(text *to, double time, const ln_progress *row) {
    text summary = {0}, event = {0};
    add_metrics(&summary, row->epoch ? "train" : "steps", &row->train);
    if (row->has_validation) add_metrics(&summary, "val", &row->validation);
    if (row->has_test) add_metrics(&summary, "test", &row->test);
    add_scalar(&summary, "lr", row->lr);
    add_time(&event, time);
    add_key(&event, 2, VARINT);
    add_varint(&event, row->total_step);
    add_bytes(&event, 5, summary.bytes, summary.n);
    add_record(to, &event);
    text_free(&summary);
    text_free(&event);
}

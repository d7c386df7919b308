/* UTF-8 as RFC 3629 has it: 1 to 4 bytes, each character written in the shortest way, no halves of surrogates. */
#include "base/utf8.h"

static bool is_character(uint32_t c) { return c < 0xd800 || (c > 0xdfff && c < 0x110000); }

static size_t length_of(uint32_t c) { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }

size_t ln_utf8_get(const char *text, uint32_t *character) {
    const unsigned char *const s = (const unsigned char *)text;
    const size_t               n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t                   c = n < 2 ? s[0] : s[0] & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    *character = c;
    return n && s[0] < 0xf8 && is_character(c) && length_of(c) == n ? n : 0;
}

size_t ln_utf8_put(uint32_t character, char out[LN_UTF8_MOST]) {
    static const uint32_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    if (!is_character(character)) return 0;
    const size_t n = length_of(character);
    for (size_t i = n - 1; i > 0; i--, character >>= 6) out[i] = (char)(0x80 | (character & 0x3f));
    out[0] = (char)(lead[n] | character);
    return n;
}

bool ln_utf8_is_name(const char *text) {
    uint32_t c = 0;
    if (!*text) return false;
    for (size_t n; *text; text += n) {
        n = ln_utf8_get(text, &c);
        if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0)) return false;
    }
    return true;
}

/* Recipes from any bytes: an error with a sentence, or a recipe whose print reads back to the same print. Lines at the
 * beginning of the input that start with "!" are overrides, as the command line would give them. */
#include "fuzz/fuzz.h"

#include "cli/recipe.h"

#include <string.h>

enum { MAX_OVERRIDES = 8 };

static void check_print(const recipe *r) {
    text     first = {0}, second = {0};
    recipe   again = {0};
    ln_error error = {0};
    recipe_print(r, &first);
    fuzz_want(recipe_parse(&again, "again.yaml", first.bytes, first.n, NULL, 0, &error));
    recipe_print(&again, &second);
    fuzz_want(strcmp(first.bytes, second.bytes) == 0);
    recipe_free(&again);
    text_free(&first);
    text_free(&second);
}

/* Takes the lines that start with "!" off *rest. */
static size_t read_overrides(char **rest, char *end, const char **overrides) {
    size_t n = 0;
    while (**rest == '!' && n < MAX_OVERRIDES) {
        char *const stop = strchr(*rest, '\n');
        overrides[n++] = *rest + 1;
        *rest = stop ? stop + 1 : end;
        if (stop) *stop = '\0';
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    ln_context  *context = fuzz_context();
    const size_t held = fuzz_held(context);
    const char  *overrides[MAX_OVERRIDES];
    pool         owner = {0};
    char *rest = pool_copy(&owner, (const char *)bytes, n_bytes), *const end = rest + n_bytes;
    const size_t n_overrides = read_overrides(&rest, end, overrides);
    recipe       r = {0};
    ln_error     error = {0};
    if (recipe_parse(&r, "fuzz.yaml", rest, (size_t)(end - rest), overrides, n_overrides, &error)) {
        ln_model *model = r.c * r.h * r.w < 4096 ? recipe_model(&r, context, &error) : NULL;
        check_print(&r);
        ln_model_free(model);
    } else {
        fuzz_want(error.status != LN_OK && error.message[0]);
    }
    recipe_free(&r);
    pool_free(&owner);
    fuzz_want(fuzz_held(context) == held);
    return 0;
}

/* fuzz_recipe.c: any bytes as a recipe, with overrides: an error or a recipe that reads back to itself, never a crash.
 * Lines of the input that begin with "!" are overrides, as the command line would give them. */
#include "../../cli/recipe.c"
#include "../../cli/recipe_build.c"
#include "../../cli/recipe_override.c"
#include "../../cli/text.c"
#include "../../cli/tree.c"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { MAX_OVERRIDES = 8 };

/* What the recipe says, printed, must read back to the same print. */
static void check_print(const recipe *r) {
    text     first = {0}, second = {0};
    recipe   again = {0};
    ln_error error = {0};
    recipe_print(r, &first);
    if (!recipe_parse(&again, "again.yaml", first.bytes, first.n, NULL, 0, &error)) {
        fprintf(stderr, "%s\n%s\n", error.message, first.bytes);
        abort();
    }
    recipe_print(&again, &second);
    if (strcmp(first.bytes, second.bytes) != 0) abort();
    recipe_free(&again);
    text_free(&first);
    text_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    const char *overrides[MAX_OVERRIDES];
    size_t      n_overrides = 0;
    pool        owner = {0};
    char *const copy = pool_copy(&owner, (const char *)bytes, n);
    char       *rest = copy;
    while (*rest == '!' && n_overrides < MAX_OVERRIDES) {
        char *end = strchr(rest, '\n');
        overrides[n_overrides++] = rest + 1;
        if (!end) {
            rest = copy + n;
            break;
        }
        *end = '\0';
        rest = end + 1;
    }
    recipe   r = {0};
    ln_error error = {0};
    if (recipe_parse(&r, "fuzz.yaml", rest, n - (size_t)(rest - copy), overrides, n_overrides, &error)) {
        ln_context_options options = LN_CONTEXT_OPTIONS;
        options.n_threads = 1;
        ln_context *context = ln_context_new(&options, NULL);
        ln_model   *model = context && r.c * r.h * r.w < 4096 ? recipe_model(&r, context, &error) : NULL;
        check_print(&r);
        ln_model_free(model);
        ln_context_free(context);
    } else if (error.message[0] == '\0') {
        abort();
    }
    recipe_free(&r);
    pool_free(&owner);
    return 0;
}

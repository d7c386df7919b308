/* store.c: sweep.db, a SQLite database of a sweep. What is committed is on the disk; whatever happens between two
 * commits, the file holds the state after the first. Tables:
 *
 *   settings(setting, key, value)       what each setting gives its keys, in their order
 *   runs(run, setting, seed, state, message, seconds, recipe)
 *                                       state: waiting, running, finished, diverged, failed; seconds of training
 *   results(run, row, epoch, ..., test_accuracy)
 *                                       the rows of each ended run's results.csv; NULL: not measured */
#include "sweep.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, BUSY_MS = 10000 };
#define APPLICATION "1282298743" /* "LnSw" */

struct store {
    sqlite3    *db;
    const char *path;
    pool        owner;
};

const char *const        store_columns[] = {"epoch",      "step",           "seconds",  "lr",
                                            "train_loss", "train_accuracy", "val_loss", "val_accuracy",
                                            "test_loss",  "test_accuracy",  NULL};
static const char *const states[RUN_STATES] = {"waiting", "running", "finished", "diverged", "failed"};

static const char schema[] =
    "PRAGMA application_id = " APPLICATION ";"
    "PRAGMA user_version = 1;"
    "CREATE TABLE settings(setting INTEGER, key TEXT, value TEXT, PRIMARY KEY(setting, key));"
    "CREATE TABLE runs(run INTEGER PRIMARY KEY, setting INTEGER, seed INTEGER, state TEXT, message TEXT, seconds REAL,"
    " recipe TEXT);"
    "CREATE TABLE results(run INTEGER, row INTEGER, epoch INTEGER, step INTEGER, seconds REAL, lr REAL, train_loss "
    "REAL,"
    " train_accuracy REAL, val_loss REAL, val_accuracy REAL, test_loss REAL, test_accuracy REAL,"
    " PRIMARY KEY(run, row));";

/* --------------------------------------------------------------------- SQL */

static bool fail(store *db, ln_error *error) {
    const int code = sqlite3_errcode(db->db) & 0xff;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return fill_error(error, LN_E_FORMAT,
                          "%.300s is damaged, or no sweep's (%s): put back a copy, or remove the folder to begin anew",
                          db->path, sqlite3_errmsg(db->db));
    return fill_error(error, LN_E_IO, "cannot use %.300s: %s", db->path, sqlite3_errmsg(db->db));
}

static bool damaged(const store *db, const char *what, ln_error *error) {
    return fill_error(error, LN_E_FORMAT, "%.300s is damaged: %s; put back a copy, or remove the folder to begin anew",
                      db->path, what);
}

static bool execute(store *db, const char *sql, ln_error *error) {
    return sqlite3_exec(db->db, sql, NULL, NULL, NULL) == SQLITE_OK || fail(db, error);
}

static sqlite3_stmt *prepare(store *db, const char *sql, ln_error *error) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->db, sql, -1, &statement, NULL) != SQLITE_OK) fail(db, error);
    return statement;
}

/* Runs the statement once, for what it changes, and makes it ready for the next time. */
static bool run_once(store *db, sqlite3_stmt *statement, ln_error *error) {
    const bool good = sqlite3_step(statement) == SQLITE_DONE || fail(db, error);
    sqlite3_reset(statement);
    return good;
}

/* good: what was done since BEGIN is kept. Otherwise none of it is, and the error stays as it is. */
static bool end(store *db, bool good, ln_error *error) {
    if (good && execute(db, "COMMIT", error)) return true;
    sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

static bool number(store *db, const char *sql, sqlite3_int64 *value, ln_error *error) {
    sqlite3_stmt *const statement = prepare(db, sql, error);
    const bool          good = statement && (sqlite3_step(statement) == SQLITE_ROW || fail(db, error));
    if (good) *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return good;
}

static void bind_text(sqlite3_stmt *statement, int i, const char *value) {
    sqlite3_bind_text(statement, i, value, -1, SQLITE_TRANSIENT);
}

/* -------------------------------------------------------------------- open */

/* An empty file gets its tables; any other must be a sweep's, and whole. */
static bool check_file(store *db, ln_error *error) {
    sqlite3_int64 n_tables, application, version, good_schema;
    if (!number(db, "SELECT count(*) FROM sqlite_schema", &n_tables, error)) return false;
    if (n_tables == 0) return execute(db, "BEGIN IMMEDIATE", error) && end(db, execute(db, schema, error), error);
    if (!number(db, "PRAGMA application_id", &application, error) ||
        !number(db, "PRAGMA user_version", &version, error))
        return false;
    if (application != strtoll(APPLICATION, NULL, 10)) return damaged(db, "it is another program's", error);
    if (version != VERSION)
        return fill_error(error, LN_E_FORMAT,
                          "%.300s was not written by this version of linnet: go on with the one that did", db->path);
    if (!number(db,
                "SELECT count(*) FILTER (WHERE type = 'table' AND name IN ('settings', 'runs', 'results')) = 3"
                " AND count(*) FILTER (WHERE type = 'trigger') = 0 FROM sqlite_schema",
                &good_schema, error))
        return false;
    if (!good_schema) return damaged(db, "its tables are not a sweep's", error);
    sqlite3_stmt *const statement = prepare(db, "PRAGMA quick_check(1)", error);
    bool                good = statement && (sqlite3_step(statement) == SQLITE_ROW || fail(db, error));
    if (good && strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0)
        good = damaged(db, (const char *)sqlite3_column_text(statement, 0), error);
    sqlite3_finalize(statement);
    return good;
}

store *store_open(const char *path, ln_error *error) {
    store *const db = take(1, sizeof *db);
    db->path = pool_copy(&db->owner, path, strlen(path));
    const int code = sqlite3_open_v2(path, &db->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    bool      good = code == SQLITE_OK || fail(db, error);
    if (good) {
        sqlite3_busy_timeout(db->db, BUSY_MS);
        good = execute(db, "PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL;", error) && check_file(db, error);
    }
    if (good) return db;
    store_close(db);
    return NULL;
}

void store_close(store *db) {
    if (!db) return;
    sqlite3_close(db->db);
    pool_free(&db->owner);
    free(db);
}

/* -------------------------------------------------------------------- load */

static const char *text_at(sqlite3_stmt *statement, int column, pool *owner) {
    const char *const value = (const char *)sqlite3_column_text(statement, column);
    return value ? pool_copy(owner, value, strlen(value)) : "";
}

/* Of one line, so that it can be shown. */
static const char *line_at(sqlite3_stmt *statement, int column, pool *owner) {
    char *const line = pool_format(owner, "%s", text_at(statement, column, owner));
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
    return line;
}

/* Rows come by setting, each with the same keys in the same order. */
static bool load_settings(store *db, sweep *s, ln_error *error) {
    sqlite3_stmt *const statement =
        prepare(db, "SELECT setting, key, value FROM settings ORDER BY setting, rowid", error);
    bool   good = statement != NULL;
    size_t i = 0;
    while (good && s->n_axes > 0 && sqlite3_step(statement) == SQLITE_ROW) {
        const size_t row = i / s->n_axes, k = i % s->n_axes;
        const char  *key = line_at(statement, 1, &s->owner);
        good = row < s->n_settings && sqlite3_column_int64(statement, 0) == (sqlite3_int64)row + 1 &&
               (row == 0 || strcmp(s->axes[k].key, key) == 0);
        if (row == 0) s->axes[k].key = key;
        if (good) s->settings[row].value[k] = line_at(statement, 2, &s->owner);
        i++;
    }
    sqlite3_finalize(statement);
    return (good && i == s->n_settings * s->n_axes) || damaged(db, "settings are missing", error);
}

static run_state state_of(const char *word) {
    run_state state = 0;
    while (state < RUN_STATES && strcmp(states[state], word) != 0) state++;
    return state;
}

static bool load_runs(store *db, sweep *s, ln_error *error) {
    sqlite3_stmt *const statement =
        prepare(db, "SELECT run, setting, seed, state, message, seconds, recipe FROM runs ORDER BY run", error);
    bool   good = statement != NULL;
    size_t i = 0;
    while (good && sqlite3_step(statement) == SQLITE_ROW) {
        const sqlite3_int64 of = sqlite3_column_int64(statement, 1);
        pool                scratch = {0};
        const run_state     state = state_of(text_at(statement, 3, &scratch));
        pool_free(&scratch);
        good = i < s->n_runs && sqlite3_column_int64(statement, 0) == (sqlite3_int64)i + 1 && of >= 1 &&
               of <= (sqlite3_int64)s->n_settings && state != RUN_STATES;
        if (!good) break;
        s->runs[i++] = (sweep_run){.setting = (size_t)of - 1,
                                   .seed = (uint64_t)sqlite3_column_int64(statement, 2),
                                   .state = state,
                                   .message = line_at(statement, 4, &s->owner),
                                   .seconds = sqlite3_column_double(statement, 5),
                                   .recipe = text_at(statement, 6, &s->owner)};
    }
    sqlite3_finalize(statement);
    return (good && i == s->n_runs) || damaged(db, "runs are missing", error);
}

bool store_is_empty(store *db) {
    ln_error      error;
    sqlite3_int64 n = 0;
    return number(db, "SELECT count(*) FROM runs", &n, &error) && n == 0;
}

bool store_load(store *db, sweep *s, ln_error *error) {
    sqlite3_int64 n_settings, n_runs, n_seeds, n_keys;
    if (!number(db, "SELECT max(setting) FROM runs", &n_settings, error) ||
        !number(db, "SELECT count(*) FROM runs", &n_runs, error) ||
        !number(db, "SELECT count(*) FROM settings WHERE setting = 1", &n_keys, error) ||
        !number(db, "SELECT max(n) FROM (SELECT count(*) AS n FROM runs GROUP BY setting)", &n_seeds, error))
        return false;
    if (n_settings < 1 || n_settings > SWEEP_MAX_RUNS || n_runs < 1 || n_runs > SWEEP_MAX_RUNS ||
        n_keys > SWEEP_MAX_AXES)
        return damaged(db, "it holds no runs, or too many", error);
    s->n_axes = (size_t)n_keys;
    s->n_settings = (size_t)n_settings;
    s->n_runs = (size_t)n_runs;
    s->repeats = (size_t)n_seeds;
    s->settings = pool_take(&s->owner, s->n_settings * sizeof *s->settings);
    s->runs = pool_take(&s->owner, s->n_runs * sizeof *s->runs);
    for (size_t i = 0; i < s->n_settings; i++)
        s->settings[i].value = pool_take(&s->owner, (SWEEP_MAX_AXES + 1) * sizeof(char *));
    return load_settings(db, s, error) && load_runs(db, s, error);
}

/* -------------------------------------------------------------------- write */

static bool add_settings(store *db, const sweep *s, size_t first, ln_error *error) {
    sqlite3_stmt *const statement = prepare(db, "INSERT INTO settings VALUES(?, ?, ?)", error);
    bool                good = statement != NULL;
    for (size_t i = first; i < s->n_settings; i++)
        for (size_t k = 0; k < s->n_axes && good; k++) {
            sqlite3_bind_int64(statement, 1, (sqlite3_int64)i + 1);
            bind_text(statement, 2, s->axes[k].key);
            bind_text(statement, 3, s->settings[i].value[k]);
            good = run_once(db, statement, error);
        }
    sqlite3_finalize(statement);
    return good;
}

static bool add_runs(store *db, const sweep *s, size_t first, ln_error *error) {
    sqlite3_stmt *const statement = prepare(db, "INSERT INTO runs VALUES(?, ?, ?, ?, '', 0, ?)", error);
    bool                good = statement != NULL;
    for (size_t i = first; i < s->n_runs && good; i++) {
        const sweep_run *const r = &s->runs[i];
        sqlite3_bind_int64(statement, 1, (sqlite3_int64)i + 1);
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)r->setting + 1);
        sqlite3_bind_int64(statement, 3, (sqlite3_int64)r->seed);
        bind_text(statement, 4, states[r->state]);
        bind_text(statement, 5, r->recipe);
        good = run_once(db, statement, error);
    }
    sqlite3_finalize(statement);
    return good;
}

bool store_add(store *db, const sweep *s, size_t first_setting, size_t first_run, ln_error *error) {
    return execute(db, "BEGIN IMMEDIATE", error) &&
           end(db, add_settings(db, s, first_setting, error) && add_runs(db, s, first_run, error), error);
}

bool store_state(store *db, size_t run, const sweep_run *r, ln_error *error) {
    sqlite3_stmt *const statement =
        prepare(db, "UPDATE runs SET state = ?, message = ?, seconds = ? WHERE run = ?", error);
    if (!statement) return false;
    bind_text(statement, 1, states[r->state]);
    bind_text(statement, 2, r->message);
    sqlite3_bind_double(statement, 3, r->seconds);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)run + 1);
    const bool good = run_once(db, statement, error);
    sqlite3_finalize(statement);
    return good;
}

/* In place of an earlier attempt's. NaN is NULL. */
static bool add_rows(store *db, size_t run, const results *rows, ln_error *error) {
    pool                owner = {0};
    sqlite3_stmt *const statement = prepare(db, "INSERT INTO results VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", error);
    bool good = statement && execute(db, pool_format(&owner, "DELETE FROM results WHERE run = %zu", run + 1), error);
    pool_free(&owner);
    for (size_t i = 0; i < rows->n_rows && good; i++) {
        sqlite3_bind_int64(statement, 1, (sqlite3_int64)run + 1);
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)i + 1);
        for (int k = 0; store_columns[k]; k++) {
            const double *const column = results_column(rows, store_columns[k]);
            sqlite3_bind_double(statement, k + 3, column ? column[i] : NAN);
        }
        good = run_once(db, statement, error);
    }
    sqlite3_finalize(statement);
    return good;
}

bool store_end(store *db, size_t run, const sweep_run *r, const results *rows, ln_error *error) {
    return execute(db, "BEGIN IMMEDIATE", error) &&
           end(db, add_rows(db, run, rows, error) && store_state(db, run, r, error), error);
}

/* ------------------------------------------------------------------- scores */

bool store_score(store *db, size_t run, const char *column, bool best, bool highest, double *score, ln_error *error) {
    pool              owner = {0};
    const char *const order = !best ? "row DESC" : pool_format(&owner, "%s %s", column, highest ? "DESC" : "ASC");
    const char *const sql =
        strcmp(column, "seconds") == 0
            ? pool_format(&owner, "SELECT seconds FROM runs WHERE run = %zu", run + 1)
            : pool_format(&owner,
                          "SELECT %s FROM results WHERE run = %zu AND epoch IS NOT NULL AND %s IS NOT NULL ORDER BY %s "
                          "LIMIT 1",
                          column, run + 1, column, order);
    sqlite3_stmt *const statement = prepare(db, sql, error);
    const int           code = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    *score = code == SQLITE_ROW ? sqlite3_column_double(statement, 0) : NAN;
    const bool good = code == SQLITE_ROW || code == SQLITE_DONE || (statement && fail(db, error));
    sqlite3_finalize(statement);
    pool_free(&owner);
    return good;
}

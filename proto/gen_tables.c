/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gen_tables PAGE.in - the manual page with its tables filled in, to stdout.
 * A line "@tunables@", "@sockopts@", "@counters@" or "@errors@" becomes the rows
 * of that table as an mdoc list.
 *
 * Runs while building, from the same .def files that the daemon is made of.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { OBEYED, NO_EFFECT, PENDING };

/*
 * Text in lines of at most 72 columns. mdoc: an apostrophe or a period would begin a
 * request at the begin of a line, a backslash an escape anywhere.
 */
static void put_text(const char *text)
{
    size_t column = 0;

    while (*text) {
        size_t len = strcspn(text, " ");

        if (column > 0 && column + 1 + len > 72) {
            fputc('\n', stdout);
            column = 0;
        } else if (column > 0) {
            fputc(' ', stdout);
            column++;
        }
        if (column == 0 && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        for (size_t i = 0; i < len; i++)
            fputs(text[i] == '\\' ? "\\e" : (char[]){text[i], '\0'}, stdout);
        column += len;
        text += len + strspn(text + len, " ");
    }
    fputc('\n', stdout);
}

/* ---- tunables ------------------------------------------------------------------------ */

/* An empty ndd name: none. A list has no numbers. */
struct tunable {
    const char *name, *ndd, *unit, *range, *def, *help;
    bool live;
    int obeyed;
};

#define COPY         false
#define LIVE         true
#define NO_NAME(ndd) ((ndd) ? (ndd) : "")

static const struct tunable tunables[] = {
#define TUN_INT(field, name, ndd, perm, unit, min, def, max, read, obeyed, help)                   \
    {name, NO_NAME(ndd), unit, #min "-" #max, #def, help, read, obeyed},
#define TUN_BOOL(field, name, ndd, perm, def, read, obeyed, help)                                  \
    {name, NO_NAME(ndd), "", "0,1", #def, help, read, obeyed},
#define TUN_ENUM(field, name, ndd, perm, words, def, read, obeyed, help)                           \
    {name, NO_NAME(ndd), "", words, "#" #def, help, read, obeyed},
#define TUN_STRING(field, name, ndd, perm, max, def, read, obeyed, help)                           \
    {name, NO_NAME(ndd), "", "text, write only", def, help, read, obeyed},
#define TUN_LIST(field, name, ndd, perm, kind, def, read, obeyed, help)                            \
    {name, NO_NAME(ndd), "ports", "a list", def, help, read, obeyed},
#include "proto/tunables.def"
};

/* "#2" of "never,passive,active" is "active". */
static void put_default(const struct tunable *t)
{
    const char *word = t->range;

    if (t->def[0] != '#') {
        fputs(t->def, stdout);
        return;
    }
    for (int n = t->def[1] - '0'; n > 0 && word; n--) {
        word = strchr(word, ',');
        if (word)
            word++;
    }
    if (word)
        fwrite(word, 1, strcspn(word, ","), stdout);
}

static void put_tunables(void)
{
    printf(".Bl -tag -width Ds\n");
    for (size_t i = 0; i < sizeof(tunables) / sizeof(tunables[0]); i++) {
        const struct tunable *t = &tunables[i];

        if (t->obeyed == PENDING)
            continue;
        printf(".It Sy %s\n", t->name);
        put_text(t->help);
        printf(".br\n");
        if (t->ndd[0])
            printf("%s;\n", t->ndd);
        if (t->def[0]) {
            printf("default ");
            put_default(t);
            printf(",\n");
        }
        printf("%s%s%s%s.\n", t->range, t->unit[0] ? " " : "", t->unit,
               t->live ? "" : "; for new endpoints");
    }
    printf(".El\n");
}

/* ---- socket options ------------------------------------------------------------------- */

static const struct {
    const char *level, *symbol, *help;
    int number, obeyed;
    const char *kind, *access;
} sockopts[] = {
#define SOCKOPT(level, symbol, number, kind, access, states, privilege, inherit, min, max, obeyed, \
                target, help)                                                                      \
    {#level, #symbol, help, number, obeyed, #kind, #access},
#include "proto/sockopts.def"
};

static const char *kind_words(const char *kind)
{
    static const char *const words[][2] = {
        {"BOOL", "int, 0 or 1"},       {"INT", "int"},
        {"UINT", "uint32_t"},          {"MS", "uint32_t, milliseconds"},
        {"SEC_AS_MS", "int, seconds"}, {"STRING", "characters"},
        {"LINGER", "struct linger"},   {"TIMEVAL", "struct timeval"},
        {"ADDR4", "struct in_addr"},   {"SPECIAL", "a structure"},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i][0], kind) == 0)
            return words[i][1];
    return kind;
}

static void put_sockopts(void)
{
    const char *level = "";

    for (size_t i = 0; i < sizeof(sockopts) / sizeof(sockopts[0]); i++) {
        if (sockopts[i].obeyed == PENDING)
            continue;
        if (strcmp(level, sockopts[i].level) != 0) {
            printf("%s.Ss %s\n.Bl -tag -width Ds\n", level[0] ? ".El\n" : "", sockopts[i].level);
            level = sockopts[i].level;
        }
        printf(sockopts[i].number < 0x1000 ? ".It Dv %s Pq %d\n" : ".It Dv %s Pq 0x%x\n",
               sockopts[i].symbol, sockopts[i].number);
        put_text(sockopts[i].help);
        printf(".br\n%s%s.\n", kind_words(sockopts[i].kind),
               strcmp(sockopts[i].access, "GET") == 0 ? "; read only" : "");
    }
    printf(".El\n");
}

/* ---- counters, errors -------------------------------------------------------------------- */

static void put_counters(void)
{
    static const char *const rows[][2] = {
#define COUNTER(field, name, scope, help) {name, help},
#include "proto/counters.def"
    };

    printf(".Bl -tag -width tcpInDataPartDupBytes\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        printf(".It %s\n", rows[i][0]);
        put_text(rows[i][1]);
    }
    printf(".El\n");
}

static void put_errors(void)
{
    static const struct {
        int number;
        const char *err, *text;
    } rows[] = {
#define ERROR(ident, number, err, text) {number, #err, text},
#include "proto/errors.def"
    };

    printf(".Bl -tag -width XXXX\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        printf(".It %d Er %s\n", rows[i].number, rows[i].err);
        put_text(rows[i].text);
    }
    printf(".El\n");
}

/* ---- the page ------------------------------------------------------------------------------ */

static const struct {
    const char *line;
    void (*put)(void);
} tables[] = {
    {"@tunables@\n", put_tunables},
    {"@sockopts@\n", put_sockopts},
    {"@counters@\n", put_counters},
    {"@errors@\n", put_errors},
};

static void put_line(const char *line)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(line, tables[i].line) == 0) {
            tables[i].put();
            return;
        }
    }
    fputs(line, stdout);
}

int main(int argc, char *argv[])
{
    char line[1024];
    FILE *page;

    if (argc != 2) {
        fprintf(stderr, "usage: gen_tables PAGE.in\n");
        return 2;
    }
    page = fopen(argv[1], "r");
    if (!page) {
        fprintf(stderr, "gen_tables: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    while (fgets(line, sizeof(line), page))
        put_line(line);
    fclose(page);
    return fflush(stdout) == 0 ? 0 : 1;
}

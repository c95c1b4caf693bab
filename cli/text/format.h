/* SPDX-License-Identifier: MIT */
/* Text for people: sizes, counts, numbers, safe names, shell words, paragraphs, colours. */
#ifndef SOW_CLI_FORMAT_H
#define SOW_CLI_FORMAT_H

#include <stdio.h>

#include "cli/options.h"

/* A growing string; start with {0}. */
struct sow_cli_text {
    char *bytes; /* NUL-terminated once something was added */
    size_t length, capacity;
};

void sow_cli_text_free(struct sow_cli_text *text);
void sow_cli_text_clear(struct sow_cli_text *text);
void sow_cli_add(struct sow_cli_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sow_cli_add_bytes(struct sow_cli_text *text, const char *bytes, size_t length);

/* Adds text from outside so that a terminal shows it and obeys none of it: control characters, bidirectional overrides
 * and bytes that are no UTF-8 become \xNN. Line feeds stay when `lines` is nonzero. */
void sow_cli_add_safe(struct sow_cli_text *text, const char *bytes, size_t length, int lines);

/* The end of a name that is longer than `room` columns, behind "..". */
void sow_cli_add_tail(struct sow_cli_text *text, const char *name, size_t room);

/* 154389504 -> "154.4 MB", powers of 1000. */
void sow_cli_add_size(struct sow_cli_text *text, uint64_t bytes);
/* "1.67 s, 0.15 GB/s" */
void sow_cli_add_speed(struct sow_cli_text *text, uint64_t bytes, double seconds);
/* 124439808 -> "124,439,808" */
void sow_cli_add_count(struct sow_cli_text *text, uint64_t count);
/* A word as a shell reads it back: quoted where it must be. */
void sow_cli_add_shell(struct sow_cli_text *text, const char *word);
/* A JSON string with its quotes. */
void sow_cli_add_json(struct sow_cli_text *text, const char *string);
/* A double that reads back as itself; null for NaN and infinities, which JSON does not have. Then with `, "key": ` before. */
void sow_cli_add_number(struct sow_cli_text *text, double number);
void sow_cli_add_key_number(struct sow_cli_text *text, const char *key, double number);
/* The same of a JSON string; null for NULL. */
void sow_cli_add_key_text(struct sow_cli_text *text, const char *key, const char *value);
/* "3072 x 768"; "scalar" for rank 0 */
void sow_cli_add_shape(struct sow_cli_text *text, const uint64_t *shape, uint32_t rank);
/* Words of `words` in lines of at most `width` columns, each line after `indent` blanks; ends with a line feed. */
void sow_cli_add_paragraph(struct sow_cli_text *text, const char *words, int indent, int width);

/* Prints one to stdout, in 100 columns; its later lines stand in four. */
void sow_cli_print_paragraph(const char *words);

/* Columns that UTF-8 text takes (one a code point). */
size_t sow_cli_columns(const char *text);

/* Columns of stdout: the terminal's, else COLUMNS, else 100. */
int sow_cli_width(void);
/* The same, but 0 where neither says. */
int sow_cli_given_width(void);

/* Columns that running text fills: those of stdout, at most 100. */
int sow_cli_prose_width(void);

/* Nonzero when this stream gets colours: --color, then NO_COLOR, TERM and whether it is a terminal. */
int sow_cli_colored(FILE *stream, enum sow_color color);

/* A block `height` eighths high, 0 (a blank) to 8; on a terminal whose locale is not UTF-8 a character as dark. */
const char *sow_cli_bar(int height);

enum sow_style { SOW_PLAIN, SOW_BOLD, SOW_DIM, SOW_RED };
/* Escape sequence that begins a style, "" without colours; SOW_PLAIN ends it. */
const char *sow_cli_style(enum sow_style style, int colored);

/* malloc that ends the program with SOW_EXIT_IO when there is no memory. */
void *sow_cli_allocate(void *old, size_t count, size_t size);

#endif

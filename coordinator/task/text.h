/* text.h - UTF-8 texts as Python sees them: code points and white space. */
#ifndef COORDINATOR_TASK_TEXT_H
#define COORDINATOR_TASK_TEXT_H

#include <stdbool.h>
#include <stddef.h>

size_t text_code_points(const char *s, size_t n);
/* Bytes of the first k code points; n when there are fewer. */
size_t text_offset(const char *s, size_t n, size_t k);
/* Narrows to the text without white space around it: what str.strip() removes. */
void text_strip(const char **s, size_t *n);
bool text_begins_with_space(const char *s, size_t n);
bool text_ends_with_space(const char *s, size_t n);

#endif

/* chat.h - chat templates recognised from the model's own text.
 *
 * A template is a program (Jinja); we do not run it. We recognise the well-known ones by the text
 * in the file and render them ourselves, byte for byte as the originals do. An unknown template
 * is refused by name unless the recipe names one of ours. */
#ifndef PROTO_MODEL_CHAT_H
#define PROTO_MODEL_CHAT_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/buf.h"
#include "proto/err.h"

enum chat_template {
    CHAT_CHATML = 1, /* plain ChatML, no default system message */
    CHAT_QWEN2,      /* ChatML with Qwen2.5's default system message */
    CHAT_QWEN3,
    CHAT_LLAMA3,       /* Llama 3.1 to 3.3 */
    CHAT_GEMMA2,       /* a system message goes in front of the first user message */
    CHAT_PHI3,         /* Phi 3.5 */
    CHAT_CHATML_SYSTEM /* ChatML whose default system message is "You are a helpful assistant." */
};

struct chat_message {
    const char *role; /* "system", "user", "assistant" */
    const char *content;
};

struct chat_options {
    bool add_generation_prompt;
    bool enable_thinking; /* Qwen3; default true */
    const char *bos;      /* text of BOS, for templates that write it; may be NULL */
    const char *eos;      /* text of EOS, the same */
    const char *date;     /* "21 Nov 2026" for Llama 3; NULL: the template's own constant, so that
                             a prompt does not change with the day */
    bool drop_system;     /* a system message that the original template refuses is left out, as
                             lm-evaluation-harness does, instead of joined to the user's */
};

const char *chat_template_name(enum chat_template t);
int chat_template_by_name(const char *name, enum chat_template *out,
                          struct px_err *err) PX_MUST_CHECK; /* the error lists the names */
/* Recognises a template's text (tokenizer.chat_template). */
int chat_recognise(const char *text, size_t len, enum chat_template *out,
                   struct px_err *err) PX_MUST_CHECK;
/* Roles or orders that the original template raises an error for are errors here. */
int chat_render(enum chat_template t, const struct chat_message *m, size_t n,
                const struct chat_options *opt, struct px_buf *out,
                struct px_err *err) PX_MUST_CHECK;

#endif

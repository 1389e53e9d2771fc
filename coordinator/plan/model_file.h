/* model_file.h - a model as the coordinator knows it: identity, shape and vocabulary, no weights.
 */
#ifndef COORDINATOR_MODEL_FILE_H
#define COORDINATOR_MODEL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/recipe/recipe.h"
#include "proto/digest.h"
#include "proto/err.h"
#include "proto/model/chat.h"
#include "proto/model/config.h"
#include "proto/model/tokenizer.h"

struct model_file {
    char *name; /* the recipe's */
    enum backend_kind backend;
    char *path;
    struct px_digest digest; /* SHA-256 of the file, of its source if it was imported; of the name
                              * for noop */
    uint64_t bytes;          /* of the file that the digest is of */
    uint64_t imported_bytes; /* native: about what its imported form takes */
    char *style;             /* replay: scorer style of programs; NULL: the task's */
    /* native only */
    struct gguf *gguf;
    struct model_config config;
    struct tokenizer *tokenizer;
    bool has_chat;
    enum chat_template chat;
    char *chat_problem;      /* why has_chat is false, for messages */
    char *think_open;        /* text of the markers; NULL where the model does not think */
    struct think_spec think; /* their token ids and the budget; open_in_prompt is a prompt's */
};

int model_file_open(const struct recipe_model *m, struct model_file *out,
                    struct px_err *err) PX_MUST_CHECK;
void model_file_clear(struct model_file *m);

#endif

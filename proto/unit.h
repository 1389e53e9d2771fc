/* unit.h - what the three programs say to each other about work: jobs, units, completions,
 * verdicts.
 *
 * A *job* is the head that many units share (model, sampler, scorer ...). A *unit* is one piece of
 * leased work: (problem, sample). A *completion* is what a worker makes of a generate or choice
 * unit, a *verdict* what a tester makes of a score unit.
 *
 * Each struct has an encoding over fixed little-endian fields (proto/buf.h) and a total decoder:
 * any bytes give a struct or an error. The records of results keep two parts apart: `result` is
 * what two runs of the same recipe must agree on bit for bit, `observed` is what merely happened.
 *
 * Decoded structs own all their memory; x_clear frees it and zeroes the struct. */
#ifndef PROTO_UNIT_H
#define PROTO_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/digest.h"
#include "proto/err.h"

/* Raised whenever the engine's defined bits change; part of every content key and of HELLO. */
#define PX_NUMERICS_VERSION 1

enum unit_kind { UNIT_GENERATE = 1, UNIT_CHOICE, UNIT_SCORE, UNIT_IMPORT };
const char *unit_kind_name(enum unit_kind k);

/* Who can do it; bits, because a peer may announce several. */
enum peer_role { ROLE_GENERATE = 1, ROLE_SCORE = 2, ROLE_STAGE = 4 };
enum peer_role unit_kind_role(enum unit_kind k);

enum backend_kind { BACKEND_NATIVE = 1, BACKEND_REPLAY, BACKEND_NOOP };
const char *backend_kind_name(enum backend_kind b);

/* How keys and values are kept; docs/numerics.md ("Attention") defines the rounding. */
enum kv_type { KV_F32 = 1, KV_F16, KV_Q8_0 };
enum { KV_Q8_BLOCK = 32 };                 /* values that share a half-precision scale */
const char *kv_type_name(enum kv_type t);  /* "f32", "f16", "q8_0" */
enum kv_type kv_type_of(const char *name); /* 0: no such name */

struct sampler_spec {
    double temperature; /* 0: greedy, and the rest does not act */
    int32_t top_k;      /* 0: off */
    double top_p;       /* 1: off */
    double min_p;       /* 0: off */
    uint64_t seed;
};

enum reuse_mode { REUSE_DELTA = 1, REUSE_SKIP, REUSE_OUTPUT };
enum reuse_kv { REUSE_KV_PROJECT = 1, REUSE_KV_COPY };

/* How a thinking model marks its thoughts: a property of the model (recipe `models.*.thinking`).
 * Off when n_close == 0. Everything works on token ids: what merely looks like a marker is text. */
struct think_spec {
    uint32_t *open; /* the marker's token ids */
    uint32_t n_open;
    uint32_t *close;
    uint32_t n_close;
    uint32_t budget;     /* new tokens inside a thought at most, then the close marker is forced;
                          * 0: no limit of its own */
    bool open_in_prompt; /* the prompt ends inside a thought: the template wrote the open marker */
};

/* Layer reuse in decode steps; off when k <= 1 or n_layers == 0. */
struct reuse_spec {
    uint32_t k;       /* step t is a refresh when t mod k = 0 */
    uint32_t *layers; /* absolute layer indices, ascending */
    uint32_t n_layers;
    enum reuse_mode mode;
    enum reuse_kv kv;
};

struct job {
    enum unit_kind kind;
    char *task;                /* for logs and records */
    enum backend_kind backend; /* generate and choice only */
    struct px_digest model;    /* SHA-256 of the weights or of the recorded completions */
    char *model_name;          /* the recipe's name */
    char *model_path;          /* absolute path; GGUF (native), JSONL (replay), "" (noop) */
    uint64_t model_bytes;      /* size of the mapping, for admission and affinity */
    struct sampler_spec sampler;
    uint32_t max_tokens; /* new tokens at most */
    uint32_t context;    /* positions a sequence may take, prompt included; 0: the model's own */
    enum kv_type kv;
    struct reuse_spec reuse;
    char **stops; /* stop strings, in order */
    uint32_t n_stops;
    uint32_t *stop_tokens; /* token ids that end a sequence; never empty for native generation */
    uint32_t n_stop_tokens;
    struct think_spec think;
    char *scorer;  /* score: JSON object, see docs/scoring.md; "" otherwise */
    char *options; /* import: JSON object of stage options; "" otherwise */
};

struct unit_choice {
    uint32_t *tokens; /* follow the unit's prompt: n_skip of context, then the continuation */
    uint32_t n_tokens;
    uint32_t n_skip;  /* below n_tokens: tokens that are context of this choice alone, not scored */
    uint32_t n_bytes; /* of the choice's text without the delimiter: acc_bytes, acc_norm */
    uint32_t n_chars; /* code points */
};

struct unit {
    struct px_digest key; /* content key, or verdict key, or stage key */
    char *problem;        /* the problem's id in its task */
    uint32_t sample;
    uint32_t turn;    /* of a conversation, from 0 */
    uint32_t *prompt; /* token ids; generate: the prompt, choice: what all choices begin with (may
                       * be empty when each has n_skip >= 1) */
    uint32_t n_prompt;
    struct unit_choice *choices;
    uint32_t n_choices;
    char *problem_json;  /* score: what the scorer needs of the problem */
    uint8_t *completion; /* score: an encoded completion */
    uint32_t n_completion;
};

enum finish {
    FINISH_EOS = 1,  /* a stop token */
    FINISH_STOP,     /* a stop string; the text ends before it */
    FINISH_LENGTH,   /* max_tokens reached */
    FINISH_OVERFLOW, /* the context was full before max_tokens */
    FINISH_TOO_LONG, /* the prompt alone does not fit; nothing was run */
    FINISH_ERROR,    /* the backend has no answer (`error` says why) */
    FINISH_SCORED    /* choice units: loglikelihoods, no text */
};
const char *finish_name(enum finish f);

enum think_state { THINK_NONE, THINK_CLOSED, THINK_UNCLOSED };

struct choice_score {
    double logprob; /* sum over the scored tokens, natural log */
    bool greedy;    /* every token was the argmax at its position */
    uint32_t n_tokens;
    uint32_t n_bytes;
    uint32_t n_chars;
};

struct completion {
    /* result: compared */
    enum finish finish;
    char *text; /* raw bytes, may hold NUL; NUL-terminated as well */
    uint32_t n_text;
    uint32_t *tokens; /* generated ids, the stop token included */
    uint32_t n_tokens;
    struct choice_score *choices;
    uint32_t n_choices;
    uint32_t n_prompt; /* prompt tokens */
    uint32_t decode_steps;
    uint32_t refresh_steps;
    uint64_t reused_layer_steps;
    enum think_state think;
    uint32_t n_think_tokens; /* generated inside the thought, markers included */
    uint32_t answer_at;      /* offset in text where the answer begins: after the last close marker;
                              * n_text when the thought is unclosed */
    char *error;
    /* observed */
    char *host;
    char *worker; /* peer id */
    char *backend;
    char *isa;
    char *build;
    double prefill_s;
    double decode_s;
    double queue_s;
    uint32_t attempts;
    uint32_t batch;             /* rows that ran beside it at most */
    uint32_t n_prompt_computed; /* prompt tokens that were computed for it, not shared */
    uint64_t rss_bytes;
    int64_t wall_us; /* when it finished, UTC */
};

enum verdict_class {
    VERDICT_PASSED = 1,
    VERDICT_FAILED_ASSERTION,
    VERDICT_WRONG_ANSWER,
    VERDICT_COMPILE_ERROR,
    VERDICT_RUNTIME_ERROR,
    VERDICT_TIMEOUT,
    VERDICT_MEMORY_LIMIT,
    VERDICT_OUTPUT_LIMIT,
    VERDICT_SECURITY_VIOLATION,
    VERDICT_NO_CODE,  /* nothing that could be code was found */
    VERDICT_UNPARSED, /* no answer could be extracted */
    VERDICT_OVERFLOW, /* the completion itself is unusable: context overflow */
    VERDICT_TOO_LONG, /* the prompt did not fit */
    VERDICT_ERROR,    /* the backend failed on it (FINISH_ERROR) or it was quarantined */
    VERDICT_INCONCLUSIVE,
    VERDICT_SANDBOX_ERROR,
    VERDICT_UNSCORED /* scorer none */
};
const char *verdict_class_name(enum verdict_class v); /* "passed", "failed_assertion", ... */

struct metric_value {
    char *name; /* "pass@1", "acc", "acc_norm", "exact_match" ... */
    double value;
};

struct verdict {
    /* result: compared */
    enum verdict_class class;
    char *extracted; /* the answer or program that was judged */
    uint32_t n_extracted;
    char *rule; /* name of the extraction rule that matched, "" when none */
    struct metric_value *metrics;
    uint32_t n_metrics;
    char *exception; /* class name, "" when none */
    int32_t signal;
    char *assurance;    /* "split", "stdio", "inline", "data" */
    char *visible;      /* text that may go into a later prompt */
    uint32_t accidents; /* enum accident bits seen in the completion (proto/accident.h) */
    /* observed */
    char *detail;
    double cpu_s;
    double wall_s;
    double runqueue_s;
    uint64_t rss_bytes;
    uint64_t output_bytes;
    char *stderr_tail;
    char *jail; /* JSON object: the layers that were active */
    char *host;
    uint32_t attempts;
    int64_t wall_us;
};

#define UNIT_LIMIT (64u << 20) /* bytes of one encoded job, unit, completion or verdict */

void job_encode(const struct job *j, struct px_buf *out);
int job_decode(const void *p, size_t n, struct job *out, struct px_err *err) PX_MUST_CHECK;
void job_clear(struct job *j);

void unit_encode(const struct unit *u, struct px_buf *out);
int unit_decode(const void *p, size_t n, struct unit *out, struct px_err *err) PX_MUST_CHECK;
void unit_clear(struct unit *u);

void completion_encode(const struct completion *c, struct px_buf *out);
int completion_decode(const void *p, size_t n, struct completion *out,
                      struct px_err *err) PX_MUST_CHECK;
void completion_clear(struct completion *c);
/* SHA-256 of the encoded `result` part alone. */
int completion_result_digest(const void *p, size_t n, struct px_digest *out,
                             struct px_err *err) PX_MUST_CHECK;

void verdict_encode(const struct verdict *v, struct px_buf *out);
int verdict_decode(const void *p, size_t n, struct verdict *out, struct px_err *err) PX_MUST_CHECK;
void verdict_clear(struct verdict *v);
int verdict_result_digest(const void *p, size_t n, struct px_digest *out,
                          struct px_err *err) PX_MUST_CHECK;
void verdict_add_metric(struct verdict *v, const char *name, double value);
/* Value of a metric, or def when the verdict does not have it. */
double verdict_metric(const struct verdict *v, const char *name, double def);

#endif

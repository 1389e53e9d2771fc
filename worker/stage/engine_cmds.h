/* engine_cmds.h - the model commands that run the engine.
 *
 * argv[0] is the subcommand. Data on stdout, words on stderr; the exit codes of DESIGN: 0 done,
 * 2 wrong use or input, 4 internal. */
#ifndef WORKER_STAGE_ENGINE_CMDS_H
#define WORKER_STAGE_ENGINE_CMDS_H

int generate_command(int argc, char **argv);
int logits_command(int argc, char **argv);
int perplexity_command(int argc, char **argv);
int bench_command(int argc, char **argv);

#endif

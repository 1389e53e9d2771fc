/* model_cmd.h - `proctor model COMMAND ...`, run by proctor-worker. */
#ifndef WORKER_STAGE_MODEL_CMD_H
#define WORKER_STAGE_MODEL_CMD_H

/* argv[0] is the command. Data on stdout, words on stderr; returns the exit code of DESIGN (0 done,
 * 1 a check failed, 2 wrong use or input, 4 internal). */
int model_command(int argc, char **argv);

/* The commands that need no engine, or all of it; argv[0] is the command's name. */
int inspect_command(int argc, char **argv);
int tokenize_command(int argc, char **argv);
int check_command(int argc, char **argv);
int import_command(int argc, char **argv);

#endif

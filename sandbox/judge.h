/* judge.h - the subcommands: `judge` runs programs of a file, `doctor` looks at the host. Each
 * takes its own arguments (argv[0] is its name) and returns an exit code. */
#ifndef SANDBOX_JUDGE_H
#define SANDBOX_JUDGE_H

int judge_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int session_main(int argc, char **argv); /* --connect */

#endif

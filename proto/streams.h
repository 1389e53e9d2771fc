/* streams.h - the three standard streams of a program: there from the start, honest at the end. */
#ifndef PROTO_STREAMS_H
#define PROTO_STREAMS_H

/* Opens /dev/null in place of each of descriptors 0, 1 and 2 that is closed, so that no file opened
 * later gets its number and is written to by a printf. First thing in main. */
void px_streams_hold(void);

/* Flushes stdout. Returns status, but 4 in place of 0 when what was printed did not arrive (a full
 * disk, say), and says so on stderr. A reader that left (`| head`) is no error. Last thing in main.
 */
int px_streams_finish(const char *program, int status);

#endif

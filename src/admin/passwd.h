/* SPDX-License-Identifier: Apache-2.0 */
/* `nightjar passwd`: password files, with the flags of mosquitto_passwd. */
#ifndef NIGHTJAR_ADMIN_PASSWD_H
#define NIGHTJAR_ADMIN_PASSWD_H

/* argv[0] is the name of the command. Returns the exit status: 0, or 1 after a sentence. */
int passwd_main(int argc, char **argv);

#endif

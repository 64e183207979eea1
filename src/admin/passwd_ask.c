/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/passwd_ask.h"

#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/* A line without its end; false at the end of the input, or when it is too long. */
static bool read_line(char text_out[PASSWD_TEXT_MAX])
{
	if (!fgets(text_out, PASSWD_TEXT_MAX, stdin))
		return false;
	size_t len = strlen(text_out);
	bool is_whole = len > 0 && text_out[len - 1] == '\n';
	if (is_whole)
		text_out[--len] = '\0';
	if (is_whole && len > 0 && text_out[len - 1] == '\r')
		text_out[--len] = '\0';
	return is_whole || len + 1 < PASSWD_TEXT_MAX;
}

static volatile sig_atomic_t signal_come;

static void note_signal(int number)
{
	signal_come = number;
}

/* A signal that ends the program does so when the terminal shows again what is typed. */
static bool ask(const char *prompt, char text_out[PASSWD_TEXT_MAX])
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction before[ARRAY_COUNT(numbers)], noting = {.sa_handler = note_signal};
	struct termios shown, hidden;
	if (tcgetattr(STDIN_FILENO, &shown) != 0)
		return false;
	signal_come = 0;
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
		sigaction(numbers[i], &noting, &before[i]);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	fputs(prompt, stderr);
	bool is_there = read_line(text_out);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
		sigaction(numbers[i], &before[i], NULL);
	if (signal_come)
		raise(signal_come);
	return is_there;
}

static int ask_at_terminal(char text_out[PASSWD_TEXT_MAX], char again[PASSWD_TEXT_MAX],
			   const char **why_out)
{
	*why_out = "no password was given";
	if (!ask("Password: ", text_out) || text_out[0] == '\0' ||
	    !ask("Reenter password: ", again))
		return ERROR_INVALID;
	*why_out = "the passwords differ";
	return strcmp(text_out, again) == 0 ? 0 : ERROR_INVALID;
}

static int take_lines(char text_out[PASSWD_TEXT_MAX], char again[PASSWD_TEXT_MAX],
		      const char **why_out)
{
	*why_out = "no password was given";
	if (!read_line(text_out) || text_out[0] == '\0')
		return ERROR_INVALID;
	*why_out = "the second line is not the password of the first";
	return !read_line(again) || strcmp(text_out, again) == 0 ? 0 : ERROR_INVALID;
}

int passwd_ask(char text_out[PASSWD_TEXT_MAX], const char **why_out)
{
	static char again[PASSWD_TEXT_MAX];
	int error = isatty(STDIN_FILENO) ? ask_at_terminal(text_out, again, why_out)
					 : take_lines(text_out, again, why_out);
	explicit_bzero(again, sizeof(again));
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/completion.h"

#include "cli/flag_table.h"

static const struct {
	const char *name;
	enum tool tool;
} tools[] = {{"pub", TOOL_PUB}, {"sub", TOOL_SUB}, {"rr", TOOL_RR}};

/* --- what there is to choose from --- */

static bool is_offered(const struct flag_row *row, enum tool tool)
{
	return row->kind != FLAG_HEADING && !flag_is_refused(row) && row->tools & tool;
}

static bool has_value(const struct flag_row *row)
{
	return flag_takes_value(row) || row->kind == FLAG_EXEC || row->kind == FLAG_PROPERTY;
}

static bool is_noun(const struct flag_row *row, const char *noun)
{
	return row->noun && strcmp(row->noun, noun) == 0;
}

static bool takes_file(const struct flag_row *row)
{
	return is_noun(row, "file") || is_noun(row, "directory") || is_noun(row, "socket path");
}

static bool is_named(const struct flag_row *row, const char *name)
{
	return (row->short_name && strcmp(row->short_name, name) == 0) ||
	       (row->long_name && strcmp(row->long_name, name) == 0);
}

/* The words of a value, or NULL where they cannot be told. */
static const char *choices_of(const struct flag_row *row)
{
	static const struct {
		const char *name, *words;
	} rows[] = {
		{"-q", "0 1 2"},
		{"--will-qos", "0 1 2"},
		{"-V", "mqttv31 mqttv311 mqttv5"},
		{"-D", "connect publish subscribe unsubscribe disconnect will"},
		{"--tls-version", "tlsv1.2 tlsv1.3"},
		{"--keyform", "pem"},
		{"--retain-handling", "always never new"},
		{"--manual-ack", "exec"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (is_named(row, rows[i].name))
			return rows[i].words;
	return NULL;
}

/* In single quotes of a shell; `escaped` gets a backslash in front. */
static void print_quoted(FILE *to, const char *text, const char *escaped)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs("'\\''", to);
		else if (strchr(escaped, *text))
			fprintf(to, "\\%c", *text);
		else
			fputc(*text, to);
	}
}

/* --- bash --- */

static void print_names(FILE *to, const struct flag_row *row, const char *between)
{
	if (row->short_name)
		fputs(row->short_name, to);
	if (row->short_name && row->long_name)
		fputs(between, to);
	if (row->long_name)
		fputs(row->long_name, to);
}

static void print_bash_values(FILE *to, enum tool tool)
{
	for (size_t i = 0; i < flag_table_count; i++) {
		const struct flag_row *row = &flag_table[i];
		if (!is_offered(row, tool) || !has_value(row))
			continue;
		const char *choices = choices_of(row);
		fputs("\t\t", to);
		print_names(to, row, "|");
		if (takes_file(row))
			fputs(") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", to);
		else
			fprintf(to, ") COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n",
				choices ? choices : "");
	}
}

static void print_bash_tool(FILE *to, const char *name, enum tool tool)
{
	fprintf(to, "\t%s)\n\t\tcase $prev in\n", name);
	print_bash_values(to, tool);
	fputs("\t\tesac\n\t\twords='", to);
	for (size_t i = 0; i < flag_table_count; i++) {
		if (!is_offered(&flag_table[i], tool))
			continue;
		print_names(to, &flag_table[i], " ");
		fputc(' ', to);
	}
	fputs("' ;;\n", to);
}

static void print_bash(FILE *to, const struct completion_command *commands, size_t count)
{
	fputs("# bash completion of nightjar\n_nightjar()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tCOMPREPLY=($(compgen -W '",
	      to);
	for (size_t i = 0; i < count; i++)
		fprintf(to, "%s ", commands[i].name);
	fputs("' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n", to);
	for (size_t i = 0; i < ARRAY_COUNT(tools); i++)
		print_bash_tool(to, tools[i].name, tools[i].tool);
	fputs("\t*)\n\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n\t\treturn ;;\n\tesac\n"
	      "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
	      "complete -F _nightjar nightjar\n",
	      to);
}

/* --- zsh --- */

static void print_zsh_row(FILE *to, const struct flag_row *row, const char *name)
{
	const char *choices = choices_of(row);
	fprintf(to, "\t\t\t'*%s[", name);
	print_quoted(to, row->help, "[]:\\");
	fputc(']', to);
	if (has_value(row)) {
		fputc(':', to);
		print_quoted(to, row->noun ? row->noun : "command", ":\\");
		fputc(':', to);
		if (takes_file(row))
			fputs("_files", to);
		else if (choices)
			fprintf(to, "(%s)", choices);
	}
	fputs("' \\\n", to);
}

static void print_zsh(FILE *to, const struct completion_command *commands, size_t count)
{
	fputs("#compdef nightjar\n# zsh completion of nightjar\n_nightjar()\n{\n"
	      "\tlocal -a commands\n\tcommands=(\n",
	      to);
	for (size_t i = 0; i < count; i++) {
		fprintf(to, "\t\t'%s:", commands[i].name);
		print_quoted(to, commands[i].summary, ":\\");
		fputs("'\n", to);
	}
	fputs("\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n"
	      "\tfi\n\tshift words\n\t(( CURRENT-- ))\n\tcase $words[1] in\n",
	      to);
	for (size_t i = 0; i < ARRAY_COUNT(tools); i++) {
		fprintf(to, "\t%s)\n\t\t_arguments \\\n", tools[i].name);
		for (size_t j = 0; j < flag_table_count; j++) {
			const struct flag_row *row = &flag_table[j];
			if (is_offered(row, tools[i].tool) && row->short_name)
				print_zsh_row(to, row, row->short_name);
			if (is_offered(row, tools[i].tool) && row->long_name)
				print_zsh_row(to, row, row->long_name);
		}
		fputs("\t\t\t&& return ;;\n", to);
	}
	fputs("\t*) _files ;;\n\tesac\n}\nif [ \"$funcstack[1]\" = _nightjar ]; then\n"
	      "\t_nightjar \"$@\"\nelse\n\tcompdef _nightjar nightjar\nfi\n",
	      to);
}

/* --- fish --- */

static void print_fish_row(FILE *to, const char *tool, const struct flag_row *row)
{
	const char *choices = choices_of(row);
	fprintf(to, "complete -c nightjar -n '__fish_seen_subcommand_from %s'", tool);
	if (row->short_name)
		fprintf(to, " -s %s", row->short_name + 1);
	if (row->long_name)
		fprintf(to, " -l %s", row->long_name + 2);
	if (has_value(row))
		fputs(takes_file(row) ? " -r -F" : " -x", to);
	if (choices)
		fprintf(to, " -a '%s'", choices);
	fputs(" -d '", to);
	print_quoted(to, row->help, "\\");
	fputs("'\n", to);
}

static void print_fish(FILE *to, const struct completion_command *commands, size_t count)
{
	fputs("# fish completion of nightjar\n", to);
	for (size_t i = 0; i < count; i++) {
		fprintf(to, "complete -c nightjar -n __fish_use_subcommand -f -a %s -d '",
			commands[i].name);
		print_quoted(to, commands[i].summary, "\\");
		fputs("'\n", to);
	}
	for (size_t i = 0; i < ARRAY_COUNT(tools); i++)
		for (size_t j = 0; j < flag_table_count; j++)
			if (is_offered(&flag_table[j], tools[i].tool))
				print_fish_row(to, tools[i].name, &flag_table[j]);
}

bool completion_print(const char *shell, const struct completion_command *commands, size_t count,
		      FILE *to)
{
	static const struct {
		const char *name;
		void (*print)(FILE *to, const struct completion_command *commands, size_t count);
	} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
	for (size_t i = 0; i < ARRAY_COUNT(shells); i++) {
		if (strcmp(shells[i].name, shell) == 0) {
			shells[i].print(to, commands, count);
			return true;
		}
	}
	return false;
}

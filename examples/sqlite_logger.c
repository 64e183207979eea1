/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes messages into a SQLite table, and acknowledges them when they are there. Each message of
 * QoS 2 is one row, whatever happens to this program, to the server or to the power, and the table
 * needs no key for that: the mark of the last message stands in the same transaction as its row.
 *
 *	sqlite_logger mqtt://localhost FOLDER 'sensor/#' messages.db [COUNT]
 *
 * It ends after COUNT messages, or with SIGINT or SIGTERM.
 */
#include <nightjar/client.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH 100 /* messages that share a transaction, when so many are there */

static volatile sig_atomic_t is_over;

static void end(int signal_number)
{
	(void)signal_number;
	is_over = 1;
}

static void says(void *context, const char *text)
{
	(void)context;
	fprintf(stderr, "sqlite_logger: %s\n", text);
}

static int run_sql(sqlite3 *table, const char *text)
{
	char *problem = NULL;
	int status = sqlite3_exec(table, text, NULL, NULL, &problem);
	if (status != SQLITE_OK)
		fprintf(stderr, "sqlite_logger: %s\n", problem);
	sqlite3_free(problem);
	return status;
}

static int open_table(const char *path, sqlite3 **table_out)
{
	if (sqlite3_open(path, table_out) != SQLITE_OK)
		return -1;
	sqlite3_busy_timeout(*table_out, 5000);
	return run_sql(
		*table_out,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		"CREATE TABLE IF NOT EXISTS message (topic TEXT, payload BLOB);"
		"CREATE TABLE IF NOT EXISTS progress (one INTEGER PRIMARY KEY, mark INTEGER)");
}

static uint64_t mark_of(sqlite3 *table)
{
	sqlite3_stmt *query;
	uint64_t mark = 0;
	sqlite3_prepare_v2(table, "SELECT mark FROM progress", -1, &query, NULL);
	if (sqlite3_step(query) == SQLITE_ROW)
		mark = (uint64_t)sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	return mark;
}

static int write_row(sqlite3 *table, const nj_message *message)
{
	sqlite3_stmt *row;
	struct nj_bytes payload = nj_message_payload(message);
	sqlite3_prepare_v2(table, "INSERT INTO message VALUES (?, ?)", -1, &row, NULL);
	sqlite3_bind_text(row, 1, nj_message_topic(message), -1, SQLITE_STATIC);
	sqlite3_bind_blob(row, 2, payload.ptr, (int)payload.len, SQLITE_STATIC);
	int status = sqlite3_step(row);
	sqlite3_finalize(row);
	return status == SQLITE_DONE ? 0 : -1;
}

static int write_mark(sqlite3 *table, uint64_t mark)
{
	sqlite3_stmt *row;
	sqlite3_prepare_v2(table, "INSERT OR REPLACE INTO progress VALUES (1, ?)", -1, &row, NULL);
	sqlite3_bind_int64(row, 1, (sqlite3_int64)mark);
	int status = sqlite3_step(row);
	sqlite3_finalize(row);
	return status == SQLITE_DONE ? 0 : -1;
}

/* One transaction: rows, and how far they go. */
static int write_all(sqlite3 *table, nj_message **messages, int count)
{
	uint64_t mark = 0;
	int error = run_sql(table, "BEGIN IMMEDIATE");
	for (int i = 0; error == 0 && i < count; i++) {
		error = write_row(table, messages[i]);
		if (nj_message_mark(messages[i]) > 0) /* not of QoS 0 */
			mark = nj_message_mark(messages[i]);
	}
	if (error == 0 && mark > 0)
		error = write_mark(table, mark);
	return error == 0 ? run_sql(table, "COMMIT") : error;
}

/* Waits for one message, and takes what else is there. */
static int take(nj_client *client, nj_message **messages)
{
	int count = 0;
	int error = nj_receive(client, 200, &messages[0]);
	while (error == 0 && ++count < BATCH)
		error = nj_receive(client, 0, &messages[count]);
	return error == 0 || error == NJ_ERROR_TIMED_OUT || count > 0 ? count : error;
}

static int log_messages(nj_client *client, sqlite3 *table, long wanted)
{
	nj_message *messages[BATCH];
	long done = 0;
	while (!is_over && (wanted == 0 || done < wanted)) {
		int count = take(client, messages);
		if (count < 0)
			return count;
		int error = count > 0 ? write_all(table, messages, count) : 0;
		for (int i = 0; i < count; i++) {
			if (error == 0)
				nj_ack(messages[i]);
			nj_message_unref(messages[i]);
		}
		if (error != 0)
			return NJ_ERROR_SYSTEM; /* not acknowledged: they come again */
		done += count;
	}
	return 0;
}

int main(int count, char **arguments)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	nj_client *client;
	sqlite3 *table;
	int error;
	if (count < 5 || count > 6) {
		fprintf(stderr, "usage: sqlite_logger ADDRESS FOLDER FILTER DATABASE [COUNT]\n");
		return 2;
	}
	if (open_table(arguments[4], &table) != 0) {
		fprintf(stderr, "sqlite_logger: %s: %s\n", arguments[4], sqlite3_errmsg(table));
		return 1;
	}
	signal(SIGINT, end);
	signal(SIGTERM, end);
	options.address = arguments[1];
	options.store_path = arguments[2];
	options.store_says = says;
	options.manual_ack = true;
	options.retry_max_ms = 5000;
	error = nj_new(&options, &client);
	if (error == 0) {
		nj_skip(client, mark_of(table));
		nj_start(client);
		nj_subscribe_to(client, arguments[3], 2);
		nj_connect(client, 0);
		error = log_messages(client, table, count == 6 ? atol(arguments[5]) : 0);
		nj_disconnect(client, 1000);
		nj_free(client);
	}
	sqlite3_close(table);
	if (error != 0)
		fprintf(stderr, "sqlite_logger: %s\n", nj_error_text(error));
	return error != 0;
}

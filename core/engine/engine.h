/* engine.h: warroomd's own parts and what each may touch.
 *
 * One main loop owns the wr_state, the wr_world, the drafts and the challenges; nobody else reads
 * them. Other threads (prober, runner, ledger writer, auditor, traffic watch, API) hand it messages
 * through two bounded queues: `inbox` for what must not be lost, `samples` for what may be dropped
 * under a flood. The API thread sees only published snapshots and its own requests. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "warroom/act.h"
#include "warroom/decide.h"
#include "warroom/ledger.h"
#include "warroom/queue.h"
#include "warroom/sshsig.h"

/* Who is at the other end of a connection, as the kernel tells it. */
typedef struct peer {
	int64_t pid, uid;
	int64_t session; /* of the process; 0 unknown */
	int64_t tty;     /* device number of its controlling terminal; 0 none */
} peer;
void peer_of_fd(int fd, peer *out);
bool peer_same_terminal(const peer *a, const peer *b);

typedef enum msg_kind {
	MSG_SAMPLE,
	MSG_REPORT,
	MSG_OUTPUT,
	MSG_APPENDED,
	MSG_REQUEST,
	MSG_AUDIT
} msg_kind;

typedef struct request request;

typedef struct appended {
	wr_append_status status;
	wr_err err;
	size_t count;
	char **lines;
	size_t *lens;
} appended;

typedef struct audit {
	bool ok;
	int64_t checked, at_us;
	char text[256];
} audit;

typedef struct msg {
	msg_kind kind;
	struct msg *next;        /* in the main loop's waiting list */
	wr_command_kind command; /* MSG_REPORT: START or PROBE */
	union {
		wr_sample sample;
		wr_step_report report;
		struct {
			char operation_id[WR_ID_LEN];
			size_t index;
			char text[1024];
		} output;
		appended appended;
		request *request;
		audit audit;
	};
} msg;
void msg_free(void *m);

/* One API request on its way through the main loop. The API thread made it and frees it; between
 * the push to the inbox and request_answer() it belongs to the main loop. */
struct request {
	char method[8], path[256];
	char *query_action, *query_from, *query_to, *query_runbook; /* decoded, bounded; may be NULL */
	int64_t query_since, query_limit, query_wait_ms;
	wr_buf body;
	peer from;
	/* the answer */
	int status;
	char *answer;
	size_t answer_len;
	void *connection; /* MHD's */
	/* long poll */
	int64_t deadline_ms;
	struct request *next_waiting;
};

typedef struct draft {
	char id[WR_ID_LEN]; /* "" free */
	json_t *plan;
	char plan_hash[WR_HEX_LEN], words[WR_WORDS_LEN], reason[256];
	int64_t made_us;
} draft;
#define DRAFTS 16

typedef struct challenge {
	bool used;
	wr_signed sign;
	char *text;
} challenge;
#define CHALLENGES 256 /* a ring: the oldest unanswered one is forgotten */

/* Where each approver of an operation signed from, for the observed assurance. */
typedef struct seat {
	char operation_id[WR_ID_LEN], principal[64];
	peer from;
} seat;
#define SEATS 64

typedef struct tail_line {
	int64_t seq;
	char timestamp[WR_TIME_LEN], operation[64], actor[80], hash[WR_HEX_LEN], text[224];
} tail_line;
#define TAIL 50

typedef struct live_output {
	char operation_id[WR_ID_LEN];
	size_t index;
	char text[2048];
} live_output;

typedef struct api api;

typedef struct engine {
	wr_config *cfg;
	const wr_clock *clock;
	wr_ledger *ledger;
	wr_state *state;
	wr_world *world;
	wr_prober *prober;
	wr_runner *runner;
	wr_queue *inbox, *samples;
	api *api;
	pthread_t auditor, traffic_watch;
	bool auditor_up, traffic_up;
	atomic_bool stopping;
	int64_t epoch, started_us;

	/* one unit of receipts is on its way to the disk at a time */
	bool in_flight;
	wr_effects flight;     /* whose receipts are being written; commands run after */
	msg *flight_msg;       /* the message that caused it, or NULL for a tick */
	json_t *flight_plan;   /* of a proposal */
	wr_signed flight_sign; /* what was signed, for the answer; its text pointers are not kept */
	msg *waiting_first, *waiting_last; /* messages that need a decision, in order */
	bool tick_due;
	int64_t append_retry_ms; /* monotonic; after a failed append nothing is tried before this */
	char banner[256];

	draft drafts[DRAFTS];
	challenge challenges[CHALLENGES];
	size_t challenge_next;
	seat seats[SEATS];
	size_t seat_next;
	char drift_id[WR_ID_LEN],
	    drift_hash[WR_HEX_LEN]; /* steps_hash of the active operation under this config */

	tail_line tail[TAIL];
	int64_t tail_count;
	live_output live;
	audit last_audit;
	bool audited;

	uint64_t rev;
	bool dirty;
	int64_t published_ms;
} engine;

/* boot.c */
WR_CHECKED int engine_boot(engine *e, const char *config_path, wr_err *err);
void engine_shutdown(engine *e, const char *reason);
/* loop.c */
int engine_run(engine *e); /* until SIGTERM or SIGINT; 0, or 1 after a fatal error */
/* Publishes the state when it is due, or now. */
void engine_publish(engine *e, bool now_please);
/* effects.c */
void engine_decide(engine *e, const wr_event *ev, msg *cause); /* takes cause */
void engine_appended(engine *e, const appended *a);
void engine_fold_line(engine *e, const char *line, size_t len);
void engine_load_plan(engine *e, const wr_receipt *r);
const char *engine_steps_hash(engine *e, const wr_op *op);
/* request.c */
void engine_request(engine *e, msg *m); /* takes m; answers now or after a decision */
/* Answer with a JSON value (stolen), or with an error. */
void request_json(engine *e, request *r, int status, json_t *body);
void request_error(engine *e, request *r, int status, const char *code, const char *rule,
                   const char *fmt, ...) WR_PRINTF(6, 7);
void request_accepted(engine *e, request *r, const wr_signed *s);
const challenge *engine_match(engine *e, const char *operation_id, const wr_sshsig *sig);
/* sign.c */
void engine_challenge(engine *e, request *r, const json_t *body);
void engine_sign(engine *e, msg *m, const json_t *body);
draft *engine_draft(engine *e, const char *id);
/* view*.c */
json_t *view_state(engine *e);
json_t *view_operation(engine *e, const wr_op *op);
json_t *view_actions(engine *e, json_t **loss_of_first);
json_t *view_action(engine *e, const wr_runbook *rb, size_t from, size_t to);
json_t *view_loss(const wr_loss *loss, const char *from, const char *to);
const wr_service *engine_tightest(const engine *e); /* the service with the smallest RTO, or NULL */
/* The candidate actions now: failover from the primary to each standby, and the failback. */
typedef struct candidate {
	wr_runbook_kind kind;
	size_t from, to;
	const wr_runbook *runbook;
} candidate;
size_t engine_candidates(const engine *e, candidate *out, size_t max);
/* sentence.c */
void receipt_sentence(const wr_receipt *r, char *out, size_t size);
/* threads.c */
WR_CHECKED int engine_threads_start(engine *e, wr_err *err);
void engine_threads_stop(engine *e);
/* api.c */
WR_CHECKED api *api_start(const char *socket_path, const char *group, wr_queue *inbox, wr_err *err);
void api_stop(api *a);
void api_publish(api *a, uint64_t rev, const char *json, size_t len);
void api_answer(api *a, request *r); /* resumes the connection */

#endif

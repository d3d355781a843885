/* yukha without libcurl on the way: the host takes each request and brings its answer. Here the host's network is a
 * bare socket; an engine has its own HTTP.
 *
 *   yukha-own-network QUEUE_DIR PORT */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <yukha/yukha.h>

enum { answer_bytes_max = 65536, headers_max = 64 };

struct network {
  yukha_tracker* tracker;
  uint16_t port;
  atomic_int ends;
};

static int send_all(int to, const void* bytes, size_t size) {
  const char* at = bytes;
  while (size > 0) {
    const ssize_t sent = send(to, at, size, MSG_NOSIGNAL);
    if (sent <= 0) return 0;
    at += sent;
    size -= (size_t)sent;
  }
  return 1;
}

static int send_text(int to, const char* text) {
  return send_all(to, text, strlen(text));
}

/* Everything the endpoint says until it closes the connection, or NULL; connected says whether there was one. */
static char* exchange(uint16_t port, const yukha_request* request, int* connected) {
  const int to = socket(AF_INET, SOCK_STREAM, 0);
  const struct timeval patience = {5, 0};
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

  size_t body_size = 0;
  const void* body = yukha_request_body(request, &body_size);
  char head[200];
  snprintf(head, sizeof head, "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: %zu\r\n",
           (unsigned)port, body_size);
  *connected = connect(to, (const struct sockaddr*)&address, sizeof address) == 0;
  int good = *connected && send_text(to, head);
  const char* header = NULL;
  for (size_t i = 0; (header = yukha_request_header(request, i)) != NULL; ++i) {
    good = good && send_text(to, header) && send_text(to, "\r\n");
  }
  good = good && send_text(to, "Connection: close\r\n\r\n") && send_all(to, body, body_size);

  char* answer = good ? malloc(answer_bytes_max + 1) : NULL;
  size_t size = 0;
  ssize_t got = 1;
  while (answer != NULL && size < answer_bytes_max && (got = recv(to, answer + size, answer_bytes_max - size, 0)) > 0) {
    size += (size_t)got;
  }
  close(to);
  if (answer != NULL) answer[size] = '\0';
  if (got == 0 && size > 0) return answer;
  free(answer);
  return NULL;
}

/* Takes the answer apart in place and hands it over. */
static void hand_over(yukha_request* request, char* answer, int connected) {
  int status = 0;
  char* body = answer == NULL ? NULL : strstr(answer, "\r\n\r\n");
  if (body == NULL || sscanf(answer, "HTTP/1.1 %d", &status) != 1) {
    static const char why[] = "no answer, or only a part of one";
    yukha_request_answer(request, connected ? 0 : -1, NULL, 0, why, sizeof why - 1);
    return;
  }
  *body = '\0';
  body += 4;
  const char* headers[headers_max];
  size_t count = 0;
  for (char* line = strstr(answer, "\r\n"); line != NULL && count < headers_max;) {
    *line = '\0';
    line += 2;
    headers[count++] = line;
    line = strstr(line, "\r\n");
  }
  yukha_request_answer(request, status, headers, count, body, strlen(body));
}

// [readme
static void* carry_requests(void* given) {
  struct network* network = given;
  while (!atomic_load(&network->ends)) {
    yukha_request* request = yukha_request_take(network->tracker, 100);
    if (request == NULL) continue;
    int connected = 0;
    char* answer = exchange(network->port, request, &connected);
    hand_over(request, answer, connected);
    free(answer);
    yukha_request_free(request);
  }
  return NULL;
}
// readme]

int main(int count, char** arguments) {
  const char* port = count > 2 ? arguments[2] : "8080";
  char endpoint[64];
  snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%s", port);
  yukha_config config;
  yukha_config_init(&config, sizeof config);
  config.app_id = "arena";
  config.queue_dir = count > 1 ? arguments[1] : "events";
  config.endpoint = endpoint;
  config.key_id = "app-2026-11";
  config.key_secret_base64 = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";
  config.own_transport = 1;
  yukha_tracker* tracker = yukha_open(&config, NULL);
  if (tracker == NULL) return EXIT_FAILURE;

  struct network network = {tracker, (uint16_t)strtoul(port, NULL, 10), 0};
  pthread_t thread;
  if (pthread_create(&thread, NULL, carry_requests, &network) != 0) return EXIT_FAILURE;
  yukha_event* sentence = yukha_event_new(tracker);
  for (int round = 1; round <= 2; ++round) {
    char id[16];
    snprintf(id, sizeof id, "round_%d", round);
    yukha_event_content(sentence, id, 0, NULL, 0);
    yukha_event_action(sentence, "PLAY", 0, -1, NULL, 0);
    printf("track: %s\n", yukha_result_name(yukha_event_track(sentence)));
    printf("flush: %s\n", yukha_result_name(yukha_flush(tracker, 10000)));
  }
  yukha_event_free(sentence);
  atomic_store(&network.ends, 1);
  pthread_join(thread, NULL);
  yukha_free(tracker);
  return EXIT_SUCCESS;
}

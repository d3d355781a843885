/* For LD_PRELOAD: a resolver that hangs for 30 s or HANG_S, as one does behind a dead name server. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** result) {
  (void)service;
  (void)hints;
  (void)result;
  fprintf(stderr, "looking up %s\n", node != NULL ? node : "");
  const char* hang_s = getenv("HANG_S");
  sleep(hang_s != NULL ? (unsigned)atoi(hang_s) : 30);
  return EAI_AGAIN;
}

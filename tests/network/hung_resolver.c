/* For LD_PRELOAD: a resolver that hangs, as one does behind a dead name server. */
#include <netdb.h>
#include <stdio.h>
#include <unistd.h>

int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** result) {
  (void)service;
  (void)hints;
  (void)result;
  fprintf(stderr, "looking up %s\n", node != NULL ? node : "");
  sleep(30);
  return EAI_AGAIN;
}

// Settings that name an endpoint, keys and a lane, and a redirect away from that endpoint.
#include <curl/curl.h>
#include <yukha/config.hpp>

#include "core/check_config.hpp"
#include "fuzz.hpp"
#include "send/endpoint.hpp"

using namespace yukha;
using fuzz::promise;

namespace {

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy = text;
  curl_free(text);
  return copy;
}

// What we take for host, port and path is what libcurl goes to.
void check_endpoint(const send::Endpoint& endpoint) {
  promise(endpoint.scheme == "https" || endpoint.scheme == "http", "http and https are spoken");
  promise(!endpoint.host.empty() && endpoint.host.find_first_of("@/?#\\ ") == std::string::npos, "a host is a name");
  promise(!endpoint.path.empty() && endpoint.path[0] == '/', "a path begins with a slash");
  promise(endpoint.path.find_first_of("?#\" \\") == std::string::npos, "a path is what is signed");
  promise(endpoint.url == endpoint.scheme + "://" + endpoint.authority + endpoint.path, "a URL is its pieces");
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, endpoint.url.c_str(), CURLU_PATH_AS_IS) != CURLUE_OK) return;
  promise(part_of(url.get(), CURLUPART_SCHEME) == endpoint.scheme, "libcurl reads the same scheme");
  promise(part_of(url.get(), CURLUPART_USER).empty(), "libcurl reads no name and password");
  promise(part_of(url.get(), CURLUPART_PATH) == endpoint.path, "libcurl reads the same path");
  std::string host = part_of(url.get(), CURLUPART_HOST);
  if (!host.empty() && host[0] == '[') host = host.substr(1, host.size() - 2);
  const bool is_number = host.find_first_not_of("0123456789.:abcdef") == std::string::npos;
  // libcurl writes an address in its shortest form; a name stays as it is.
  if (!is_number) promise(host == endpoint.host, "libcurl reads the same host");
  if (endpoint.loopback) {
    const bool named = host == "localhost" || (host.size() > 10 && host.substr(host.size() - 10) == ".localhost");
    promise(named || host.rfind("127.", 0) == 0 || host == "::1", "loopback stays on the machine");
  }
  send::Endpoint again;
  promise(send::parse_endpoint(endpoint.url, true, again).good() && again.url == endpoint.url &&
              again.authority == endpoint.authority && again.path == endpoint.path && again.host == endpoint.host,
          "an endpoint's URL reads as the same endpoint");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  Config config;
  const std::uint64_t flags = input.number(1);
  config.allow_plain_http = (flags & 1) != 0;
  config.endpoint = input.text_until('\n');
  const std::string_view location = input.text_until('\n');
  const std::string_view app_id = input.text_until('\n');
  const std::string_view lane = input.text_until('\n');
  config.app_id = (flags & 2) != 0 ? app_id : "shop";
  config.queue_dir = "/q";
  config.lane = lane;
  for (std::size_t keys = flags >> 2 & 15; keys-- > 0;) {
    const std::string_view id = input.text_until('\n');
    config.keys.push_back({std::string(id), std::string(input.text_until('\n'))});
  }
  if ((flags & 64) != 0) {
    for (const char* begin = "sha256//"; !input.empty();)
      config.pins.push_back(begin + std::string(input.text_until(';')));
  }
  if ((flags & 128) != 0) {
    config.ring_bytes = static_cast<std::size_t>(input.any_number());
    config.queue_bytes_max = static_cast<std::uint64_t>(input.any_number());
    config.batch_bytes_max = static_cast<std::size_t>(input.any_number());
    config.upload_interval = std::chrono::milliseconds(input.any_number());
    config.age_max = std::chrono::hours(input.any_number() % 1000);
  }

  pipeline::WorkerSettings settings;
  const Status status = detail::check_config(config, settings);
  promise(status.good() || !status.message().empty(), "a refusal says why");
  // What the app wrote elsewhere, too, is no secret, nor is what has blanks as our own words do.
  std::string elsewhere = config.endpoint + "\n" + config.app_id + "\n" + config.lane;
  for (const SigningKey& key : config.keys) elsewhere += "\n" + key.id + ":";
  for (const SigningKey& key : config.keys) {
    const std::string& secret = key.secret_base64;
    const bool tells = secret.size() > 20 && secret.find(' ') == std::string::npos &&
                       status.message().find(secret) != std::string::npos;
    promise(!tells || elsewhere.find(secret) != std::string::npos, "a refusal never tells a secret");
  }
  if (status.good()) {
    promise(settings.lanes.ring_bytes % 4096 == 0 && settings.lanes.ring_bytes >= config.ring_bytes,
            "a ring is of "
            "whole pages");
    promise(settings.lanes.ring_bytes <= 64 << 20, "a ring has a limit");
    promise(settings.keys.size() == config.keys.size() && config.keys.size() <= 8, "every key or none");
    for (const send::Key& key : settings.keys) {
      promise(key.secret.size() >= 16 && key.secret.size() <= 256, "a secret has 16 to 256 bytes");
    }
    for (const char c : config.lane) promise(c != '/' && c != '.' && c != '\0', "a lane is no path");
  }

  send::Endpoint endpoint;
  if (!send::parse_endpoint(config.endpoint, config.allow_plain_http, endpoint).good()) return 0;
  promise(config.allow_plain_http || endpoint.loopback || endpoint.scheme == "https", "plain http must be asked for");
  check_endpoint(endpoint);
  send::Endpoint target;
  if (send::same_origin_redirect(endpoint, location, target)) {
    check_endpoint(target);
    const std::string origin = endpoint.scheme + "://" + endpoint.authority + "/";
    promise(target.url.compare(0, origin.size(), origin) == 0, "a redirect stays on the origin");
    promise(target.host == endpoint.host && target.loopback == endpoint.loopback, "a redirect stays on the host");
  }
  return 0;
}

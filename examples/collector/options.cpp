#include "options.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <fstream>
#include <functional>
#include <utility>

#include "gate.hpp"
#include "text.hpp"

namespace collector {

const char kHelp[] =
    "yukha-collector: the local endpoint of yukha's wire contract (src/send/CONTRACT.md), at level \"exact\".\n"
    "\n"
    "  yukha-collector --port N --lake DIR --key-file F [options]\n"
    "\n"
    "  --port N            0 picks a free port\n"
    "  --address IP        listen on this address in place of 127.0.0.1 and [::1]\n"
    "  --lake DIR          where dt=YYYY-MM-DD/hour=HH/*.json.gz go; the database is DIR/.collector/collector.db\n"
    "  --key KEYID:BASE64  a key that may sign; several may. Everybody on the machine can read it in the process list\n"
    "  --key-file F        keys that may sign, one a line; empty lines and those that begin with # do not count.\n"
    "                      Its owner's alone (chmod 600)\n"
    "  --public-url URL    where clients think the endpoint is; several may. Without one: 127.0.0.1, [::1] and\n"
    "                      localhost with the port. A URL without a path means /v1/events\n"
    "  --no-token          whoever reaches the port may read and change what is below /micro/; on loopback only\n"
    "  --ready-file F      holds the decimal port once the collector listens\n"
    "  --lake-bytes N      a lake file is cut at N bytes of sentences (5000000)\n"
    "  --lake-seconds S    and a line waits for its file at most S seconds (2)\n"
    "  --lease-seconds S   how long a batch may be in progress before its repeat is let in (60, at most 60)\n"
    "  --seed N            the dice of the faults (1)\n"
    "  --fault TEXT        misbehave on POST of events; several may, and they combine\n"
    "  --judge             read lines from standard input and print for each what the quick reader and the schema say\n"
    "\n"
    "Faults, each with an optional ,rate=0..1 behind it:\n"
    "  status=503[,retry_after=2][,location=URL][,body=TEXT to the end]   this answer, nothing stored\n"
    "  slow=500ms          the answer takes longer; the batch is in progress meanwhile\n"
    "  cut=before|after    the connection ends without an answer, before or after the batch is stored\n"
    "  413=BYTES           413 for a body of more than BYTES\n"
    "  reject=N            every Nth good line is rejected\n"
    "  portal              a captive portal's page\n"
    "  400                 a bare 400\n"
    "  crash=before|between|after   SIGKILL before storing, between storing and answering, after the answer\n"
    "\n"
    "  What is below /micro/ wants \"Authorization: Bearer TOKEN\": the token is new at each start, is printed,\n"
    "  and stands in DIR/.collector/token. GET changes nothing. Host must be one of ours (a public URL's, or\n"
    "  127.0.0.1, [::1] and localhost with the port), and so must Origin where a browser sends one.\n"
    "  GET  /micro/all, /micro/good?limit=N&offset=M, /micro/bad?limit=N&offset=M, /micro/policy\n"
    "  POST /micro/reset   forget everything and empty the lake\n"
    "  POST /micro/fault   the same texts, one a line; an empty body ends the misbehaviour\n"
    "  POST /micro/policy  what every 200 asks of the clients from now on, for example "
    "{\"for_s\":3600,\"stop\":[\"READ\"]};\n"
    "                      an empty body ends that\n"
    "  POST /micro/clock   Unix milliseconds at which the endpoint's clock stands still; an empty body lets it run\n"
    "\n"
    "Exit: 0 after SIGTERM, SIGINT or SIGHUP, when every line is in the lake; 64 usage; 1 otherwise.\n";

namespace {

std::string take_key(const std::string& text, Options* options) {
  // Base64 has no colon, so a keyid may have one.
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return "a key is KEYID:BASE64";
  const std::string keyid = text.substr(0, colon);
  for (const char c : keyid) {
    if (c < 0x20 || c > 0x7e) return "the keyid may hold printable ASCII only, as RFC 9421 can write no other";
  }
  const auto secret = base64_decoded(text.substr(colon + 1));
  if (!secret) return "key " + keyid + ": what stands behind the colon is not base64";
  if (secret->empty()) return "key " + keyid + ": the key is empty";
  if (!options->secrets_by_keyid.emplace(keyid, *secret).second) return "key " + keyid + " is given twice";
  return "";
}

std::string take_key_file(const std::string& path, Options* options) {
  constexpr std::size_t kFileBytesMax = 64 * 1024;
  std::ifstream in(path, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad()) return "--key-file " + path + " cannot be read";
  struct stat about {};
  if (::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return "--key-file " + path + " is not its owner's alone: whoever reads it can sign; chmod 600 mends it";
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kFileBytesMax) return "--key-file " + path + " is longer than 64 KiB";
  std::size_t number = 0;
  for (std::string_view line : lines_of(text)) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;
    const std::string error = take_key(std::string(line), options);
    // Not the line itself: it may be a secret that misses its name.
    if (!error.empty()) return "--key-file " + path + ", line " + std::to_string(number) + ": " + error;
  }
  return "";
}

std::string take_address(const std::string& text, Options* options) {
  in_addr v4{};
  in6_addr v6{};
  const bool is_v4 = inet_pton(AF_INET, text.c_str(), &v4) == 1;
  if (!is_v4 && inet_pton(AF_INET6, text.c_str(), &v6) != 1) {
    return "--address wants an IPv4 or IPv6 address, not \"" + text + "\"";
  }
  constexpr unsigned char kLoopbackV4 = 127;
  options->addresses = {text};
  options->is_loopback = is_v4 ? ntohl(v4.s_addr) >> 24 == kLoopbackV4 : IN6_IS_ADDR_LOOPBACK(&v6);
  return "";
}

}  // namespace

Options Options::parsed(const std::vector<std::string>& arguments, std::string* error) {
  Options options;
  const auto whole = [](const std::string& text, std::int64_t least, std::int64_t most, std::int64_t* out) {
    const auto number = whole_number(text);
    if (!number || *number < least || *number > most) return false;
    *out = *number;
    return true;
  };
  using Taker = std::function<std::string(const std::string&)>;
  const std::map<std::string, Taker> takers = {
      {"--port",
       [&](const std::string& value) {
         std::int64_t number = 0;
         if (!whole(value, 0, 65535, &number)) return "--port wants a number from 0 to 65535, not \"" + value + "\"";
         options.port = static_cast<int>(number);
         return std::string();
       }},
      {"--address", [&](const std::string& value) { return take_address(value, &options); }},
      {"--lake",
       [&](const std::string& value) {
         options.lake = value;
         return std::string(value.empty() ? "--lake wants a directory" : "");
       }},
      {"--key", [&](const std::string& value) { return take_key(value, &options); }},
      {"--key-file", [&](const std::string& value) { return take_key_file(value, &options); }},
      {"--public-url",
       [&](const std::string& value) {
         const auto url = PublicUrl::parsed(value);
         if (!url) return "--public-url wants http(s)://host[:port][/path], not \"" + value + "\"";
         if (url->path.compare(0, kMicro.size(), kMicro) == 0) {
           return "--public-url " + value + ": what is below /micro/ is the collector's own";
         }
         options.public_urls.push_back(*url);
         return std::string();
       }},
      {"--ready-file",
       [&](const std::string& value) {
         options.ready_file = value;
         return std::string(value.empty() ? "--ready-file wants a file name" : "");
       }},
      {"--fault",
       [&](const std::string& value) {
         std::string why;
         auto fault = Fault::parsed(value, &why);
         if (fault) options.faults.push_back(std::move(*fault));
         return why;
       }},
      {"--seed",
       [&](const std::string& value) {
         std::int64_t number = 0;
         if (!whole(value, 0, INT64_MAX, &number)) return "--seed wants a whole number, not \"" + value + "\"";
         options.seed = static_cast<std::uint64_t>(number);
         return std::string();
       }},
      {"--lake-bytes",
       [&](const std::string& value) {
         if (!whole(value, 1, 500'000'000, &options.lake_limits.file_bytes)) {
           return "--lake-bytes wants a number from 1 to 500000000, not \"" + value + "\"";
         }
         return std::string();
       }},
      {"--lake-seconds",
       [&](const std::string& value) {
         const auto seconds = decimal_number(value);
         if (!seconds || *seconds > 86400) return "--lake-seconds wants seconds up to a day, not \"" + value + "\"";
         options.lake_limits.file_seconds = *seconds;
         return std::string();
       }},
      {"--lease-seconds",
       [&](const std::string& value) {
         const auto seconds = decimal_number(value);
         if (!seconds || *seconds > 60) return "--lease-seconds wants at most 60, not \"" + value + "\"";
         options.lease = std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
         return std::string();
       }},
  };
  for (std::size_t i = 0; i < arguments.size() && error->empty(); ++i) {
    const std::string& name = arguments[i];
    if (name == "--help" || name == "-h") {
      options.help = true;
      return options;
    }
    if (name == "--judge") {
      options.judge = true;
      continue;
    }
    if (name == "--no-token") {
      options.no_token = true;
      continue;
    }
    const auto taker = takers.find(name);
    if (taker == takers.end()) {
      *error = "unknown argument \"" + name + "\"";
    } else if (i + 1 == arguments.size()) {
      *error = name + " wants a value";
    } else {
      *error = taker->second(arguments[++i]);
    }
  }
  if (!error->empty() || options.judge) return options;
  if (options.port < 0) {
    *error = "--port is missing";
  } else if (options.lake.empty()) {
    *error = "--lake is missing";
  } else if (options.secrets_by_keyid.empty()) {
    *error = "--key-file or --key is missing: an endpoint without a key could trust nobody";
  } else if (options.no_token && !options.is_loopback) {
    *error = "--no-token is for loopback: others reach " + options.addresses[0];
  } else if (options.public_urls.empty() && (options.addresses[0] == "0.0.0.0" || options.addresses[0] == "::")) {
    *error = "--address " + options.addresses[0] + " does not say what clients call the endpoint: --public-url does";
  }
  return options;
}

}  // namespace collector

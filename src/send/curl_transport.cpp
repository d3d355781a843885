#include "send/curl_transport.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <mutex>

#include "send/verdict.hpp"
#include "system/descriptors.hpp"
#include "system/library.hpp"
#include "system/process_end.hpp"

namespace yukha::send {
namespace {

constexpr long stall_bytes_per_s = 64;  // who answers more slowly than this drips

bool is_set_up() {
  static std::once_flag once;
  static bool good = false;
  std::call_once(once, [] {
    // A look-up that the system does not give back goes on in a thread of libcurl's, also when we are unloaded.
    system::keep_loaded(reinterpret_cast<const void*>(&curl_global_init));
    good = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  });
  return good;
}

curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) noexcept {
  return system::open_socket(address->family, address->socktype, address->protocol);
}

class CurlTransport final : public HttpTransport {
 public:
  explicit CurlTransport(const CurlSettings& settings) : settings_(settings) {
    for (const std::string& pin : settings_.pins) pins_ += (pins_.empty() ? "" : ";") + pin;
  }
  ~CurlTransport() override { cancel(); }
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  bool usable() const noexcept { return wake_up_.usable(); }

  void start(const HttpRequest& request) override;
  bool poll(std::chrono::milliseconds timeout, HttpAnswer& answer) override;
  void wake() override { wake_up_.wake(); }
  void cancel() override;

 private:
  static std::size_t on_header(char* line, std::size_t one, std::size_t size, void* self) noexcept;
  static std::size_t on_body(char* bytes, std::size_t one, std::size_t size, void* self) noexcept;
  void make_multi();
  bool take_result();
  void end();
  void let_go();

  const CurlSettings settings_;
  std::string pins_;  // as libcurl wants them
  system::WakeUp wake_up_;
  // From the first request until cancel(): curl's own way of waking costs two descriptors that it does not close on
  // exec, and a multi handle that never had a request takes the app's SIGPIPE away for a moment when it is freed.
  CURLM* multi_ = nullptr;
  CURL* easy_ = nullptr;
  curl_slist* headers_ = nullptr;
  bool running_ = false;
  bool failed_at_start_ = false;
  bool distrusts_ = false;
  std::size_t answer_bytes_max_ = 0;
  std::size_t answer_bytes_ = 0;
  HttpAnswer answer_;
  char error_[CURL_ERROR_SIZE] = {};
};

std::size_t CurlTransport::on_header(char* line, std::size_t, std::size_t size, void* self) noexcept {
  auto* transport = static_cast<CurlTransport*>(self);
  transport->answer_bytes_ += size;
  if (transport->answer_bytes_ > transport->answer_bytes_max_) return 0;
  try {
    std::string_view text(line, size);
    if (text.rfind("HTTP/", 0) == 0) {
      // A new status line: what came before it was an interim answer.
      transport->answer_.headers.clear();
      return size;
    }
    HttpHeader header;
    if (read_header(text, header)) transport->answer_.headers.push_back(std::move(header));
    return size;
  } catch (...) {
    return 0;
  }
}

std::size_t CurlTransport::on_body(char* bytes, std::size_t, std::size_t size, void* self) noexcept {
  auto* transport = static_cast<CurlTransport*>(self);
  transport->answer_bytes_ += size;
  if (transport->answer_bytes_ > transport->answer_bytes_max_) return 0;
  try {
    transport->answer_.body.append(bytes, size);
    return size;
  } catch (...) {
    return 0;
  }
}

void CurlTransport::start(const HttpRequest& request) {
  const system::LibraryCall call;
  if (call.allowed()) end();
  answer_ = {};
  answer_bytes_ = 0;
  answer_bytes_max_ = request.answer_bytes_max;
  error_[0] = '\0';
  running_ = true;
  failed_at_start_ = true;
  if (!call.allowed()) return;
  if (distrusts_) let_go();
  if (easy_ == nullptr) easy_ = curl_easy_init();
  if (easy_ == nullptr) return;
  curl_easy_reset(easy_);

  for (const HttpHeader& header : request.headers) {
    curl_slist* longer = curl_slist_append(headers_, (header.name + ": " + header.value).c_str());
    if (longer == nullptr) return;
    headers_ = longer;
  }
  // No "Expect: 100-continue": a batch is small, and waiting for leave costs a round trip.
  curl_slist* longer = curl_slist_append(headers_, "Expect:");
  if (longer == nullptr) return;
  headers_ = longer;

  const auto set = [this](CURLoption option, auto value) { return curl_easy_setopt(easy_, option, value) == CURLE_OK; };
  // No signals in the host's process, and a look-up that hangs must not hold up cancel().
  bool good = set(CURLOPT_NOSIGNAL, 1L);
  good &= set(CURLOPT_QUICK_EXIT, 1L);
  good &= set(CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  good &= set(CURLOPT_URL, request.url.c_str());
  good &= set(CURLOPT_POST, 1L);
  good &= set(CURLOPT_POSTFIELDS, request.body.data());  // borrowed, as the interface says
  good &= set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  good &= set(CURLOPT_HTTPHEADER, headers_);
  good &= set(CURLOPT_HEADERFUNCTION, &CurlTransport::on_header);
  good &= set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  good &= set(CURLOPT_WRITEFUNCTION, &CurlTransport::on_body);
  good &= set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  good &= set(CURLOPT_ERRORBUFFER, error_);
  // Only what the endpoint may be: curl would also read file:// and talk to gopher.
  good &= set(CURLOPT_PROTOCOLS_STR, "http,https");
  // The path is signed as it stands; curl must not tidy it.
  good &= set(CURLOPT_PATH_AS_IS, 1L);
  // Redirects are followed by the worker, re-signed and on the same origin.
  good &= set(CURLOPT_FOLLOWLOCATION, 0L);
  // Verification is curl's default; it stands here so that nobody has to know that.
  good &= set(CURLOPT_SSL_VERIFYPEER, 1L);
  good &= set(CURLOPT_SSL_VERIFYHOST, 2L);
  good &= set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  good &= set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  if (!settings_.ca_file.empty()) {
    good &= set(CURLOPT_CAINFO, settings_.ca_file.c_str());
    good &= set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // instead of the system's, not beside them
    // A file that was replaced is read at the next connection, and what was believed by the old one is not taken up
    // again. By its number (CURLOPT_CA_CACHE_TIMEOUT): a libcurl that does not know it keeps nothing.
    static_cast<void>(set(static_cast<CURLoption>(CURLOPTTYPE_LONG + 321), 0L));
    good &= set(CURLOPT_SSL_SESSIONID_CACHE, 0L);
  }
  if (!pins_.empty()) good &= set(CURLOPT_PINNEDPUBLICKEY, pins_.c_str());
  if (!settings_.proxy.empty()) good &= set(CURLOPT_PROXY, settings_.proxy.c_str());
  if (!settings_.no_proxy.empty()) good &= set(CURLOPT_NOPROXY, settings_.no_proxy.c_str());
  // A proxy in front of the endpoint's TLS may have a certificate of its own, and it is verified, too.
  good &= set(CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
  good &= set(CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
  good &= set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
  good &= set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_timeout.count()));
  // libcurl measures the stall in whole seconds, over the bytes of both directions.
  good &= set(CURLOPT_LOW_SPEED_LIMIT, stall_bytes_per_s);
  good &= set(CURLOPT_LOW_SPEED_TIME, static_cast<long>((request.stall_timeout.count() + 999) / 1000));
  // The endpoint and everything between must notice a silent peer before the system's two hours.
  good &= set(CURLOPT_TCP_KEEPALIVE, 1L);
  good &= set(CURLOPT_TCP_NODELAY, 1L);
  if (good && multi_ == nullptr) make_multi();
  if (!good || multi_ == nullptr || curl_multi_add_handle(multi_, easy_) != CURLM_OK) return;
  failed_at_start_ = false;
  int still_running = 0;
  curl_multi_perform(multi_, &still_running);
}

bool CurlTransport::take_result() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    if (message->data.result == CURLE_OK) {
      long status = 0;
      curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
      answer_.status = static_cast<int>(status);
    } else {
      // Half an answer is no answer: what its headers promised may be in the half that did not come.
      answer_.status = 0;
      answer_.headers.clear();
      answer_.body.clear();
      // What it believes, it read long ago perhaps.
      distrusts_ = message->data.result == CURLE_PEER_FAILED_VERIFICATION;
      curl_off_t sent = -1;
      curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &sent);
      answer_.body_bytes_sent = sent;
      answer_.error = error_[0] != '\0' ? error_ : curl_easy_strerror(message->data.result);
    }
    return true;
  }
  return false;
}

bool CurlTransport::poll(std::chrono::milliseconds timeout, HttpAnswer& answer) {
  using std::chrono::milliseconds;
  const auto begin = std::chrono::steady_clock::now();
  while (true) {
    if (running_ && failed_at_start_) {
      answer_.error = "libcurl could not start the request";
      running_ = false;
      answer = std::move(answer_);
      return true;
    }
    if (running_) {
      const system::LibraryCall call;
      int still_running = 0;
      if (call.allowed()) curl_multi_perform(multi_, &still_running);
      if (call.allowed() && take_result()) {
        end();
        answer = std::move(answer_);
        return true;
      }
    }
    if (wake_up_.woken()) return false;
    const auto gone = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    // An hour stands for "no limit": the worker looks around and comes back.
    milliseconds left = timeout.count() < 0 ? milliseconds(3'600'000) - gone : timeout - gone;
    if (left.count() <= 0) return false;
    left = std::min(left, milliseconds(3'600'000));
    if (running_) {
      const system::LibraryCall call(true);
      curl_waitfd woken{wake_up_.descriptor(), CURL_WAIT_POLLIN, 0};
      if (call.allowed()) {
        curl_multi_poll(multi_, &woken, 1, static_cast<int>(left.count()), nullptr);
        continue;
      }
    }
    wake_up_.wait(left);
  }
}

void CurlTransport::make_multi() {
  const int lowest = system::lowest_free_descriptor();
  multi_ = curl_multi_init();
  // Older ones leave their pair open on exec. The byte tells it from a pair that the host made at the same time; where
  // the wake-up is something else, nothing is found.
  if (multi_ == nullptr || curl_multi_wakeup(multi_) != CURLM_OK) return;
  system::close_pair_on_exec(lowest, 1);
  curl_multi_poll(multi_, nullptr, 0, 0, nullptr);  // takes the byte
}

void CurlTransport::cancel() {
  // Not at the process's end, when whatever it needs may be gone.
  const system::LibraryCall call;
  if (!call.allowed()) return;
  end();
  let_go();
}

void CurlTransport::let_go() {
  distrusts_ = false;
  if (easy_ != nullptr) curl_easy_cleanup(easy_);
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
  easy_ = nullptr;
  multi_ = nullptr;
}

void CurlTransport::end() {
  if (running_ && !failed_at_start_) curl_multi_remove_handle(multi_, easy_);
  running_ = false;
  curl_slist_free_all(headers_);
  headers_ = nullptr;
}

}  // namespace

void set_up_curl() {
  static_cast<void>(is_set_up());
}

std::shared_ptr<HttpTransport> make_curl_transport(const CurlSettings& settings) {
  if (!is_set_up()) return nullptr;
  auto transport = std::make_shared<CurlTransport>(settings);
  return transport->usable() ? transport : nullptr;
}

}  // namespace yukha::send

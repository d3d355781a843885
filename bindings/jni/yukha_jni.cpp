// yukha.h for dev.yukha.Native: maps names and types, holds no logic.
//
// Texts come as UTF-8 in a byte[], never as a jstring: JNI's own conversions garble emoji and NUL. Nothing is thrown
// into Java; what goes wrong here is a code of yukha.h. There are no callbacks, so no thread is ever attached to the
// VM.
#include <jni.h>
#include <yukha/yukha.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace {

#if defined(__SANITIZE_THREAD__)
// ThreadSanitizer does not see Java's own order: that open() came before the calls that others make on its tracker, and
// all of them before free(), which Handle.java counts. So it is told of these two, and of no other.
std::atomic<int> opened{0};
std::atomic<int> ended{0};
#endif

// One call on a tracker, for as long as it runs.
class Call {
 public:
  explicit Call(jlong handle) : tracker_(reinterpret_cast<yukha_tracker*>(static_cast<std::intptr_t>(handle))) {
#if defined(__SANITIZE_THREAD__)
    opened.load(std::memory_order_acquire);
#endif
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
#if defined(__SANITIZE_THREAD__)
    ended.fetch_add(1, std::memory_order_release);
#endif
  }
  yukha_tracker* tracker() const {
    return tracker_;
  }

 private:
  yukha_tracker* tracker_;
};

// A copy of the first `size` bytes of a byte[], with a NUL behind them. A copy, because a call may wait for room in the
// ring, and an array may not be held for so long.
class Bytes {
 public:
  Bytes(JNIEnv* env, jbyteArray from, jint size) {
    if (from == nullptr || size < 0 || size > env->GetArrayLength(from)) return;
    if (static_cast<std::size_t>(size) >= sizeof inline_) {
      grown_.reset(new (std::nothrow) char[static_cast<std::size_t>(size) + 1]);
      if (!grown_) {
        problem_ = YUKHA_OUT_OF_MEMORY;
        return;
      }
    }
    char* to = grown_ ? grown_.get() : inline_;
    env->GetByteArrayRegion(from, 0, size, reinterpret_cast<jbyte*>(to));
    to[size] = '\0';
    begin_ = to;
    size_ = static_cast<std::size_t>(size);
    problem_ = YUKHA_OK;
  }

  // YUKHA_OK, or why there are none.
  yukha_result problem() const { return problem_; }
  const char* begin() const { return begin_; }
  std::size_t size() const { return size_; }

 private:
  const char* begin_ = nullptr;
  std::size_t size_ = 0;
  yukha_result problem_ = YUKHA_BAD_ARGUMENT;
  std::unique_ptr<char[]> grown_;
  char inline_[2048];
};

struct Text {
  const char* bytes = nullptr;  // null when Java's was; else with a NUL behind it
  std::size_t size = 0;
};

// Null, or as many as there are. yukha.h takes null with a count of 1 for a null.
struct List {
  const yukha_member* members = nullptr;
  std::size_t count = 0;
};

// Reads what Packet.java writes, in the same order. Whatever would be read past the end makes it bad for good; each
// answer is then empty.
class Packet {
 public:
  explicit Packet(const Bytes& bytes) : at_(bytes.begin()), left_(bytes.size()) {}

  bool bad() const { return bad_; }
  bool more() const { return !bad_ && left_ > 0; }

  int byte() { return static_cast<int>(number(1)); }
  std::uint32_t word() { return static_cast<std::uint32_t>(number(4)); }
  std::int64_t wide() { return static_cast<std::int64_t>(number(8)); }

  Text text() {
    const std::uint32_t size = word();
    if (bad_) return {};
    if (size == none) return {};
    if (size >= left_ || at_[size] != '\0') {
      bad_ = true;
      return {};
    }
    const Text text{at_, size};
    skip(size + std::size_t{1});
    return text;
  }

  // Valid until the next call.
  List members() {
    const std::uint32_t count = word();
    if (bad_) return {};
    if (count == none) return {nullptr, 1};
    // Two texts of five bytes at least: a count that lies takes no memory.
    if (count > left_ / 10) {
      bad_ = true;
      return {};
    }
    members_.resize(count);
    for (yukha_member& member : members_) {
      member.name = text().bytes;
      const Text value = text();
      member.value = value.bytes;
      member.value_size = value.size;
    }
    return {members_.data(), members_.size()};
  }

 private:
  static constexpr std::uint32_t none = 0xFFFFFFFF;

  std::uint64_t number(std::size_t bytes) {
    if (bad_ || left_ < bytes) {
      bad_ = true;
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(at_[i]);
    skip(bytes);
    return value;
  }
  void skip(std::size_t bytes) {
    at_ += bytes;
    left_ -= bytes;
  }

  const char* at_;
  std::size_t left_;
  bool bad_ = false;
  std::vector<yukha_member> members_;
};

// The words of Packet.java.
enum : int { location = 1, content = 2, referral = 3, action = 4, user = 5, device = 6, at = 7, critical = 8 };

// Reads one part and gives it to the sentence.
yukha_result add_part(Packet& packet, yukha_event* sentence) {
  const int word = packet.byte();
  Text text;
  List list;
  std::int64_t number = 0;
  if (word == location || word == content || word == referral || word == action) text = packet.text();
  if (word == action || word == at) number = packet.wide();
  if (word != referral && word != at && word != critical) list = packet.members();
  if (packet.bad()) return YUKHA_BAD_ARGUMENT;
  switch (word) {
    case location:
      return yukha_event_location(sentence, text.bytes, text.size, list.members, list.count);
    case content:
      return yukha_event_content(sentence, text.bytes, text.size, list.members, list.count);
    case referral:
      return yukha_event_referral(sentence, text.bytes, text.size);
    case action:
      return yukha_event_action(sentence, text.bytes, text.size, number, list.members, list.count);
    case user:
      return yukha_event_user(sentence, list.members, list.count);
    case device:
      return yukha_event_device(sentence, list.members, list.count);
    case at:
      return yukha_event_at(sentence, number);
    case critical:
      return yukha_event_critical(sentence);
    default:
      return yukha_event_user(sentence, nullptr, 1);  // no word of Packet.java's
  }
}

yukha_result track(yukha_tracker* tracker, const Bytes& bytes) {
  if (tracker == nullptr) return YUKHA_BAD_ARGUMENT;
  const std::unique_ptr<yukha_event, void (*)(yukha_event*)> sentence(yukha_event_new(tracker), &yukha_event_free);
  if (!sentence) return YUKHA_OUT_OF_MEMORY;
  Packet packet(bytes);
  // The sentence remembers its first mistake, and yukha_event_track answers it.
  while (packet.more() && add_part(packet, sentence.get()) >= 0) {
  }
  return packet.bad() ? YUKHA_BAD_ARGUMENT : yukha_event_track(sentence.get());
}

yukha_result identify(yukha_tracker* tracker, const Bytes& bytes) {
  Packet packet(bytes);
  const Text id = packet.text();
  const List list = packet.members();
  if (packet.bad()) return YUKHA_BAD_ARGUMENT;
  return yukha_identify(tracker, id.bytes, id.size, list.members, list.count);
}

yukha_tracker* open(const Bytes& bytes, yukha_result* result) {
  Packet packet(bytes);
  yukha_config config;
  yukha_config_init(&config, sizeof config);
  for (const char** text :
       {&config.app_id, &config.queue_dir, &config.lane, &config.endpoint, &config.key_id, &config.key_secret_base64,
        &config.app_version, &config.os, &config.model, &config.locale}) {
    *text = packet.text().bytes;
  }
  for (std::uint32_t* number :
       {&config.no_thread, &config.allow_plain_http, &config.no_device_facts, &config.upload_interval_ms,
        &config.sync_interval_ms, &config.ring_full_wait_ms, &config.age_max_hours}) {
    *number = packet.word();
  }
  config.ring_bytes = static_cast<std::uint64_t>(packet.wide());
  config.queue_bytes_max = static_cast<std::uint64_t>(packet.wide());
  // Without a config to read, yukha.h answers for a null one: with a tracker that says so.
  return yukha_open(bytes.problem() != YUKHA_OK || packet.bad() ? nullptr : &config, result);
}

// Runs `call` on the bytes of an array. Only memory can fail inside, and Java learns of it by the code.
template <typename Call>
yukha_result with_bytes(JNIEnv* env, jbyteArray array, jint size, const Call& call) {
  try {
    const Bytes bytes(env, array, size);
    return bytes.problem() == YUKHA_OK ? call(bytes) : bytes.problem();
  } catch (const std::bad_alloc&) {
    return YUKHA_OUT_OF_MEMORY;
  }
}

// Null when the VM has no memory for them; its OutOfMemoryError stays here.
jbyteArray to_java(JNIEnv* env, const char* bytes, std::size_t size) {
  jbyteArray array = env->NewByteArray(static_cast<jsize>(size));
  if (array == nullptr) {
    env->ExceptionClear();
    return nullptr;
  }
  env->SetByteArrayRegion(array, 0, static_cast<jsize>(size), reinterpret_cast<const jbyte*>(bytes));
  return array;
}

}  // namespace

extern "C" {

// `result` is an int[1] for how it went.
JNIEXPORT jlong JNICALL Java_dev_yukha_Native_open(JNIEnv* env, jclass, jbyteArray packet, jint size,
                                                   jintArray result) {
  yukha_tracker* tracker = nullptr;
  yukha_result how = YUKHA_OUT_OF_MEMORY;
  try {
    tracker = open(Bytes(env, packet, size), &how);
  } catch (const std::bad_alloc&) {
    how = YUKHA_OUT_OF_MEMORY;
  }
#if defined(__SANITIZE_THREAD__)
  opened.fetch_add(1, std::memory_order_release);
#endif
  const jint answer = how;
  env->SetIntArrayRegion(result, 0, 1, &answer);
  return static_cast<jlong>(reinterpret_cast<std::intptr_t>(tracker));
}

JNIEXPORT void JNICALL Java_dev_yukha_Native_free(JNIEnv*, jclass, jlong tracker) {
#if defined(__SANITIZE_THREAD__)
  ended.load(std::memory_order_acquire);
#endif
  yukha_free(Call(tracker).tracker());
}

JNIEXPORT jint JNICALL Java_dev_yukha_Native_identify(JNIEnv* env, jclass, jlong tracker, jbyteArray packet,
                                                      jint size) {
  return with_bytes(env, packet, size, [&](const Bytes& bytes) { return identify(Call(tracker).tracker(), bytes); });
}

JNIEXPORT jint JNICALL Java_dev_yukha_Native_track(JNIEnv* env, jclass, jlong tracker, jbyteArray packet, jint size) {
  return with_bytes(env, packet, size, [&](const Bytes& bytes) { return track(Call(tracker).tracker(), bytes); });
}

JNIEXPORT jint JNICALL Java_dev_yukha_Native_trackJson(JNIEnv* env, jclass, jlong tracker, jbyteArray json, jint size) {
  return with_bytes(env, json, size, [&](const Bytes& bytes) {
    return yukha_track_json(Call(tracker).tracker(), bytes.begin(), bytes.size());
  });
}

JNIEXPORT jint JNICALL Java_dev_yukha_Native_setConsent(JNIEnv*, jclass, jlong tracker, jint consent) {
  return yukha_set_consent(Call(tracker).tracker(), consent);
}

JNIEXPORT jint JNICALL Java_dev_yukha_Native_consent(JNIEnv*, jclass, jlong tracker) {
  return yukha_get_consent(Call(tracker).tracker());
}

JNIEXPORT jint JNICALL Java_dev_yukha_Native_erase(JNIEnv*, jclass, jlong tracker) {
  return yukha_erase(Call(tracker).tracker());
}

JNIEXPORT jint JNICALL Java_dev_yukha_Native_flush(JNIEnv*, jclass, jlong tracker, jlong deadline_ms) {
  return yukha_flush(Call(tracker).tracker(), deadline_ms);
}

JNIEXPORT jlong JNICALL Java_dev_yukha_Native_work(JNIEnv*, jclass, jlong tracker, jlong budget_ms) {
  return yukha_work(Call(tracker).tracker(), budget_ms);
}

JNIEXPORT jint JNICALL Java_dev_yukha_Native_close(JNIEnv*, jclass, jlong tracker, jlong deadline_ms) {
  return yukha_close(Call(tracker).tracker(), deadline_ms);
}

// The numbers in the order of yukha_stats; `into` is a long[15].
JNIEXPORT jint JNICALL Java_dev_yukha_Native_stats(JNIEnv* env, jclass, jlong tracker, jlongArray into) {
  yukha_stats stats;
  const yukha_result result = yukha_get_stats(Call(tracker).tracker(), &stats, sizeof stats);
  if (result < 0) return result;
  const auto number = [](std::uint64_t value) { return static_cast<jlong>(value); };
  const jlong numbers[] = {number(stats.failures),        number(stats.accepted),
                           number(stats.delivered),       number(stats.waiting),
                           number(stats.quarantined),     number(stats.evicted),
                           number(stats.erased),          number(stats.lost),
                           number(stats.refused),         number(stats.refused_ring_full),
                           number(stats.refused_consent), number(stats.refused_invalid),
                           number(stats.refused_closed),  number(stats.requests),
                           stats.next_attempt_ms};
  env->SetLongArrayRegion(into, 0, static_cast<jsize>(sizeof numbers / sizeof numbers[0]), numbers);
  return result;
}

JNIEXPORT jbyteArray JNICALL Java_dev_yukha_Native_lastError(JNIEnv* env, jclass, jlong tracker) {
  char buffer[1024];
  std::size_t size = yukha_last_error(Call(tracker).tracker(), buffer, sizeof buffer);
  if (size < sizeof buffer) return to_java(env, buffer, size);
  try {
    // Another thread may put a longer one there meanwhile: then this is its beginning.
    std::vector<char> longer(size + 1);
    const std::size_t now = yukha_last_error(Call(tracker).tracker(), longer.data(), longer.size());
    return to_java(env, longer.data(), now < size ? now : size);
  } catch (const std::bad_alloc&) {
    return to_java(env, buffer, sizeof buffer - 1);
  }
}

JNIEXPORT jbyteArray JNICALL Java_dev_yukha_Native_resultName(JNIEnv* env, jclass, jint result) {
  const char* name = yukha_result_name(result);
  return to_java(env, name, std::strlen(name));
}

JNIEXPORT jbyteArray JNICALL Java_dev_yukha_Native_version(JNIEnv* env, jclass) {
  const char* version = yukha_version();
  return to_java(env, version, std::strlen(version));
}

}  // extern "C"

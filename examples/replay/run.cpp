#include "run.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <yukha/yukha.hpp>

#include "digest.hpp"
#include "dry_run.hpp"
#include "journal.hpp"
#include "mapper.hpp"
#include "mapping.hpp"
#include "report.hpp"

namespace replay {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

volatile std::sig_atomic_t caught_signal = 0;

// The first signal ends the run in order; a second one finds the system's own handler again and ends it at once.
void on_signal(int signal) {
  caught_signal = signal;
  std::signal(signal, SIG_DFL);
}

// Instead of a journal's SHA-256, where an input can be read only once.
constexpr const char* once_only = "stream";

// Thrown where the run cannot go on; carries the exit code.
struct Failure {
  int code;
  std::string text;
};

class Run {
 public:
  Run(const Options& options, Clock::time_point began)
      : options_(options),
        queue_dir_(options.queue_dir),
        progress_(options.progress_s.value_or(0), options.progress_s.has_value()),
        complaints_(options.complaints_max) {
    if (options.deadline_s) {
      deadline_ =
          began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(*options.deadline_s));
    }
  }

  int go() {
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    // nohup has it ignored.
    if (std::signal(SIGHUP, on_signal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
    try {
      read_map();
      know_inputs();
      if (options_.dry_run) {
        dry_run_ = std::make_shared<DryRun>(*options_.dry_run);
        queue_dir_ = dry_run_->folder();
      }
      // What is wrong with the last one's columns is told before the first one's rows are sent.
      for (std::size_t i = options_.input_paths.size(); i-- > 0;) {
        if (i == 0 || can_be_read_again(options_.input_paths[i])) open_input(i);
      }
      consult_journal();
      open_tracker();
      begin_or_resume();
      track_rows();
      if (broken_off_) {
        deliver_the_rows_before();
      } else if (all_offered_) {
        finish_journal();
        wait_for_delivery();
      }
    } catch (const Failure& failure) {
      std::fprintf(stderr, "yukha-replay: %s\n", printable(failure.text).c_str());
      if (!begun_) return failure.code;
      report();
      return failure.code;
    }
    return report();
  }

 private:
  bool stopped() const { return caught_signal != 0 || (deadline_ && Clock::now() >= *deadline_); }

  // Sleeps until then, or until the run is to end.
  void rest_until(Clock::time_point until) const {
    while (!stopped()) {
      const auto now = Clock::now();
      if (now >= until) return;
      std::this_thread::sleep_until(std::min(until, now + milliseconds(50)));
    }
  }

  [[noreturn]] void stop_early(const std::string& when) const {
    if (caught_signal != 0) throw Failure{128 + caught_signal, "ended by a signal " + when};
    throw Failure{exit_waiting, "the deadline came " + when};
  }

  void read_map() {
    std::string text;
    std::string problem;
    if (!read_beginning(options_.map_path, mapping_bytes_max + 1, text, problem)) throw Failure{exit_usage, problem};
    try {
      mapping_ = read_mapping(text, options_.map_path);
    } catch (const MappingError& error) {
      throw Failure{exit_usage, error.what()};
    }
    // These two say as well what becomes of a row; a journal is for one way of it.
    if (options_.strict) text += "\n--strict";
    if (options_.format != Format::unknown) text += "\n--format " + std::to_string(static_cast<int>(options_.format));
    map_sha256_ = sha256_of_text(text);
  }

  // Whether there is one that can be read only once, and the digest by which a resumed run knows its inputs.
  void know_inputs() {
    const std::vector<std::string>& paths = options_.input_paths;
    for (const std::string& path : paths) input_names_ += (input_names_.empty() ? "" : ", ") + path;
    if (!std::all_of(paths.begin(), paths.end(), can_be_read_again)) {
      if (options_.resume) {
        throw Failure{exit_usage, "--resume reads its input from the beginning, and " + input_names_ +
                                      " can be read only once; write it to a file first"};
      }
      input_sha256_ = once_only;
      return;
    }
    if (options_.dry_run) return;
    std::string problem;
    if (sha256_of_files(
            paths, [this] { return stopped(); }, input_sha256_, problem))
      return;
    if (problem.empty()) stop_early("before the first row, while the input was read for its SHA-256");
    throw Failure{exit_usage, problem};
  }

  void open_input(std::size_t index) {
    const std::string& path = options_.input_paths[index];
    std::string problem;
    RecordOptions records = mapping_.records;
    if (options_.format != Format::unknown) records.format = options_.format;
    if (records.format == Format::unknown) records.format = format_of(path);
    if (records.format == Format::unknown) {
      throw Failure{exit_usage, path +
                                    " does not tell its format by its name; say --format csv, tsv, jsonl, json or "
                                    "lines, or \"format\" in the mapping"};
    }
    if (!fit_together(records, problem)) {
      throw Failure{exit_usage, options_.map_path + " and " + path + ": " + problem};
    }
    records.stop = [this] { return stopped(); };
    records.refuses_inner_rows = options_.strict;
    reader_ = open_records(path, records, problem);
    if (!reader_) {
      if (stopped()) stop_early("before the first row of " + path);
      throw Failure{exit_usage, path + ": " + problem};
    }
    try {
      if (!mapper_) mapper_ = std::make_unique<Mapper>(mapping_);
      mapper_->begin_input(reader_->columns());
    } catch (const MappingError& error) {
      throw Failure{exit_usage, options_.map_path + " and " + path + ": " + error.what()};
    }
    input_ = index;
    // The first is opened last of all, and the others once more when their rows come.
    if (index == 0 || begun_ || options_.strict) tell_columns(path);
  }

  void tell_columns(const std::string& path) {
    for (const std::string& name : mapper_->repeated_columns()) {
      const std::string what = "two columns have the name \"" + name + "\"";
      if (options_.strict) throw Failure{exit_usage, path + ": " + what};
      tell(reader_->counts().blank + 1, what + "; the last of them counts");
    }
  }

  void count_lines() {
    const LineCounts counts = reader_->counts();
    rows_.lines.lines += counts.lines;
    rows_.lines.header += counts.header;
    rows_.lines.blank += counts.blank;
    rows_.lines.further += counts.further;
    rows_.lines.without_rows += counts.without_rows;
  }

  // Before anything is opened: may this run use the queue at all?
  void consult_journal() {
    if (dry_run_) return;
    journal_path_ = journal_path(queue_dir_);
    std::string problem;
    switch (read_journal(journal_path_, journal_, problem)) {
      case JournalRead::unreadable:
        throw Failure{exit_usage, problem +
                                      "; without it nobody knows which rows are in the queue already. Use another "
                                      "--queue, or remove it to begin anew"};
      case JournalRead::none:
        return;
      case JournalRead::found:
        break;
    }
    if (!options_.resume) {
      if (journal_.finished) return;
      throw Failure{exit_usage, "the queue " + queue_dir_ + " holds an unfinished replay of " + journal_.input +
                                    (can_be_resumed() ? "; go on with --resume," : ", which cannot be read again;") +
                                    " use another --queue, or remove " + journal_path_ +
                                    " to begin anew (rows that are in the queue are delivered all the same)"};
    }
    if (journal_.input_sha256 != input_sha256_) {
      throw Failure{exit_usage, "cannot resume: the queue " + queue_dir_ + " holds a replay of " + journal_.input +
                                    ", and " + input_names_ + " has other bytes than that had"};
    }
    if (journal_.map_sha256 != map_sha256_) {
      throw Failure{exit_usage, "cannot resume: the mapping " + options_.map_path +
                                    ", --strict or --format was changed since the replay began; rows before and after "
                                    "would differ"};
    }
    resumed_ = true;
  }

  void open_tracker() {
    yukha::Config config;
    config.app_id = mapping_.app_id;
    config.queue_dir = queue_dir_;
    config.lane = "replay";
    if (dry_run_) {
      config.endpoint = "http://127.0.0.1/";
      config.transport = dry_run_;
      config.debug = true;
    } else {
      config.endpoint = options_.endpoint;
      config.allow_plain_http = options_.allow_plain_http;
      config.keys = options_.keys;
    }
    // The rows tell with what device they came about; this machine had no part in it.
    config.collect_device_facts = false;
    // Rows wait for room instead of being dropped. Short enough that Ctrl-C, and the deadline, are answered while the
    // disk is full.
    config.ring_full_wait = std::chrono::seconds(deadline_ ? 1 : 10);
    // A replay that outruns its endpoint fills the disk rather than giving rows up.
    config.queue_bytes_max = 64ULL * 1024 * 1024 * 1024;
    config.upload_interval = std::chrono::seconds(1);
    const bool verbose = options_.verbose;
    config.log = [verbose, dry_run = dry_run_, reasons = not_delivered_](yukha::LogLevel level, std::string_view text) {
      if (dry_run && level == yukha::LogLevel::debug) return dry_run->hear(text);
      constexpr std::string_view refusal = "a batch was not delivered: ";
      if (text.substr(0, refusal.size()) == refusal) reasons->add(text.substr(refusal.size()));
      if (!verbose && level != yukha::LogLevel::error) return;
      std::fprintf(stderr, "yukha: %.*s\n", static_cast<int>(text.size()), text.data());
    };
    tracker_ = yukha::Tracker::open(config);
    const yukha::Status status = tracker_.status();
    if (!status.kept()) {
      const bool usage = status == yukha::Code::bad_config || status == yukha::Code::bad_key ||
                         status == yukha::Code::bad_endpoint || status == yukha::Code::plain_http;
      throw Failure{usage ? exit_usage : exit_failed, status.message()};
    }
    if (tracker_.consent() == yukha::Consent::denied) {
      throw Failure{exit_failed, "consent is denied in " + queue_dir_ + "; nothing would be kept"};
    }
    if (tracker_.consent() == yukha::Consent::pending) {
      std::fprintf(stderr, "yukha-replay: consent is pending in %s; rows are kept and not sent\n", queue_dir_.c_str());
    }
  }

  void begin_or_resume() {
    const yukha::Stats now = tracker_.stats();
    if (resumed_) {
      const yukha::Stats& then = journal_.began;
      if (now.accepted < then.accepted || now.refused_invalid < then.refused_invalid) {
        throw Failure{exit_usage, journal_path_ +
                                      " does not belong to this queue: it counts more rows than the queue; "
                                      "remove it to begin anew"};
      }
      // Both counters survive a kill exactly, and every row that was given to the tracker is in one of them.
      passed_over_ = (now.accepted - then.accepted) + (now.refused_invalid - then.refused_invalid);
      begun_ = true;
      return;
    }
    journal_ = Journal{input_names_, input_sha256_, map_sha256_, now, false};
    std::string problem;
    if (dry_run_) {
      begun_ = true;
      return;
    }
    if (!write_journal(journal_path_, journal_, problem)) throw Failure{exit_failed, problem};
    begun_ = true;
  }

  void track_rows() {
    Record row;
    Sentence sentence;
    std::string problem;
    const auto rows_began = Clock::now();
    std::uint64_t tracked = 0;
    while (caught_signal == 0) {
      // Looking at the clock costs more than mapping a row.
      if ((rows_.read & 63) == 0 && !look_around()) return;
      if (options_.row_limit && rows_.read >= *options_.row_limit) {
        count_lines();
        rows_.lines.lines = 0;                                 // there are more, and nobody knows how many
        passed_over_ = std::min(passed_over_, rows_.offered);  // an earlier run may have had a higher limit
        return end_rows();
      }
      const RecordReader::Next next = reader_->next(row, problem);
      if (next == RecordReader::Next::end) {
        count_lines();
        if (input_ + 1 == options_.input_paths.size()) return end_rows();
        try {
          open_input(input_ + 1);
        } catch (const Failure& failure) {
          if (failure.code != exit_usage) throw;
          broken_off_ = failure;
          return;
        }
        row = Record{};  // it showed what the one before had
        continue;
      }
      if (next == RecordReader::Next::stopped) return;
      if (next == RecordReader::Next::broken) {
        broken_off_ = Failure{exit_failed, options_.input_paths[input_] + ": " + problem};
        return;
      }
      if (next == RecordReader::Next::without) {
        without_rows_ = true;
        tell(row.line, "no rows: " + problem);
        continue;
      }
      ++rows_.read;
      last_row_ = {input_, row.line};
      if (next == RecordReader::Next::bad) {
        unmapped(row.line, problem);
        continue;
      }
      if (row.repaired + row.lone_surrogates > 0 && !allow_repaired(row.line, row.repaired, row.lone_surrogates))
        continue;
      if (row.repeated != nullptr && !allow_repeated(row.line, *row.repeated)) continue;
      if (row.inner_rows > 0) tell_inner_rows(row);
      if (row.node != nullptr && rows_.read == 1) array_in_first_row_ = array_of_objects(row);
      const Mapper::Outcome outcome = mapper_->map(row, rows_.read, sentence, problem);
      if (outcome == Mapper::Outcome::unmapped) {
        unmapped(row.line, problem);
        continue;
      }
      if (!allow_columns_json(row, sentence)) continue;
      if (outcome == Mapper::Outcome::skipped) {
        ++rows_.skipped;
        continue;
      }
      if (sentence.clock_change != ClockChange::none && !allow_clock_change(row.line, sentence.clock_change)) continue;
      if (!sentence.left_out.empty() && !allow_left_out(row.line, sentence.left_out)) continue;
      if (!sentence.cut.empty()) {
        ++rows_.cut;
        tell(row.line, "cut: " + std::string(sentence.cut) + " is too long for a sentence of 32 KiB");
      }
      if (rows_.offered < passed_over_) {
        ++rows_.offered;
        continue;
      }
      if (options_.rows_per_second > 0 && !pace(rows_began, tracked++)) return;
      if (!track(row.line, sentence)) return;
      ++rows_.offered;
    }
  }

  void deliver_the_rows_before() {
    std::fprintf(stderr, "yukha-replay: %s%s\n", printable(broken_off_->text).c_str(),
                 dry_run_ ? "" : "; what was read before is delivered first");
    complaints_.tell_the_rest();
    // What can be read only once is never resumed, and its journal would only be in the way.
    if (!can_be_resumed()) finish_journal();
    wait_for_delivery();
  }

  bool can_be_resumed() const { return journal_.input_sha256 != once_only; }

  // Behind the counts: how to get the rows that are not in them, and not the others once more.
  void tell_the_way_on(std::uint64_t waiting) const {
    std::string text = "no row was read before that";
    const std::string& path = options_.input_paths[last_row_.input];
    if (rows_.read > 0) {
      text = "rows are taken up to row " + std::to_string(rows_.read) + " (" + (path == "-" ? "stdin" : path) +
             ", line " + std::to_string(last_row_.line) + ")";
    }
    if (waiting > 0) {
      text += "; " + std::to_string(waiting) + " sentences wait in " + queue_dir_ +
              ", and any run with this --queue and " + "endpoint delivers them";
    }
    text += can_be_resumed()
                ? ". When the input can be read, the same command with --resume goes on behind it; with other "
                  "bytes it is another input: give what stands behind that row to a run with another --queue"
                : ". What came through a pipe cannot be read again: give what stands behind that row to a new run";
    std::fprintf(stderr, "yukha-replay: %s\n", printable(text).c_str());
  }

  void end_rows() {
    check_passed_over();
    all_offered_ = true;
    complaints_.tell_the_rest();
    if (rows_.read == 1 && rows_.unmapped == 1 && !array_in_first_row_.empty()) {
      std::fprintf(
          stderr,
          "yukha-replay: the only row is an object with an array of objects, \"%s\"; if those are the rows, say "
          "\"rows\": \"%s[]\" in the mapping\n",
          printable(array_in_first_row_).c_str(), printable(array_in_first_row_).c_str());
    }
    if (rows_.read > 0) without_rows_ = false;
    if (without_rows_) {
      std::fprintf(stderr, "%s: \"rows\" leads to no row in any input\n", printable(options_.map_path).c_str());
    }
    for (const std::string& text : mapper_->never_found()) {
      never_found_ = true;
      std::fprintf(stderr, "%s: %s\n", printable(options_.map_path).c_str(), printable(text).c_str());
    }
  }

  // A document on one line looks like a row.
  static std::string array_of_objects(const Record& row) {
    for (const JsonText::Node* node = row.json->first(*row.node); node != nullptr; node = row.json->next(*node)) {
      const JsonText::Node* const first = row.json->first(*node);
      if (node->kind == JsonText::Kind::array && first != nullptr && first->kind == JsonText::Kind::object) {
        return std::string(node->name);
      }
    }
    return {};
  }

  void tell_inner_rows(const Record& row) {
    ++rows_.suspect;
    tell(row.line, "the row has " + std::to_string(row.inner_rows + 2) +
                       " lines, and those between the first and the last look like rows themselves; if a quote is not "
                       "closed here, --strict reads them as rows");
  }

  // With --strict whatever would only be told leaves its row out.
  bool allow_repaired(std::uint64_t line, std::uint64_t sequences, std::uint64_t lone_surrogates) {
    const std::string what = sequences == 0
                                 ? std::to_string(lone_surrogates) +
                                       " escapes such as \\ud800 are half of a character, and there is no other"
                                 : std::to_string(sequences) + " sequences of bytes are no text in " +
                                       (mapping_.records.encoding.empty() ? "UTF-8" : mapping_.records.encoding) +
                                       "; \"encoding\" says what the input is in";
    ++rows_.repaired;
    if (options_.strict) return unmapped(line, what), false;
    tell(line, "repaired with U+FFFD: " + what);
    return true;
  }

  bool allow_repeated(std::uint64_t line, const JsonText::Node& member) {
    const std::string what = "the member \"" + std::string(member.name) + "\" stands twice";
    ++rows_.repeated;
    if (options_.strict) return unmapped(line, what), false;
    tell(line, what + "; the last counts");
    return true;
  }

  // The same for JSON that columns hold as text, which nobody reads before it is asked for.
  bool allow_columns_json(const Record& row, const Sentence& sentence) {
    if (sentence.lone_surrogates > 0 && row.repaired + row.lone_surrogates == 0 &&
        !allow_repaired(row.line, 0, sentence.lone_surrogates)) {
      return false;
    }
    return sentence.repeated == nullptr || row.repeated != nullptr || allow_repeated(row.line, *sentence.repeated);
  }

  bool allow_clock_change(std::uint64_t line, ClockChange change) {
    ++rows_.clock_change;
    const std::string what =
        change == ClockChange::twice
            ? "the clocks of the zone were set back, and showed this time twice; the first is taken"
            : "the clocks of the zone were set forward, and never showed this time; it is read as "
              "if they had not been";
    if (options_.strict) return unmapped(line, what), false;
    tell(line, "time: " + what);
    return true;
  }

  // Each such member is told at the end, with its name and the number of its rows.
  bool allow_left_out(std::uint64_t line, std::string_view what) {
    ++rows_.left_out;
    if (options_.strict) unmapped(line, std::string(what));
    return !options_.strict;
  }

  bool look_around() {
    const auto now = Clock::now();
    if (deadline_ && now >= *deadline_) return false;
    if (progress_.due(now)) progress_.print(now, rows_, tracker_.stats());
    return true;
  }

  // Keeps the rate even: row n is due n/rate after the first. Answers false when the run is to end.
  bool pace(Clock::time_point rows_began, std::uint64_t tracked) {
    const std::chrono::duration<double> after(static_cast<double>(tracked) / options_.rows_per_second);
    const auto due = rows_began + std::chrono::duration_cast<Clock::duration>(after);
    // What is due within a millisecond goes out now; sleeping for less costs more than it evens out.
    while (Clock::now() + milliseconds(1) < due) {
      if (!look_around() || stopped()) return false;
      std::this_thread::sleep_until(std::min(due, Clock::now() + milliseconds(50)));
    }
    return true;
  }

  void unmapped(std::uint64_t line, const std::string& why) {
    ++rows_.unmapped;
    tell(line, "unmapped: " + why);
  }

  void tell(std::uint64_t line, const std::string& what) { complaints_.tell(options_.input_paths[input_], line, what); }

  yukha::Status track_once(const Sentence& sentence) {
    const auto list = [](const std::vector<yukha::Member>& members) {
      return yukha::Members(members.data(), members.size());
    };
    yukha::Event event = tracker_.event();
    if (!sentence.user.empty()) event.user(list(sentence.user));
    if (!sentence.device.empty()) event.device(list(sentence.device));
    if (!sentence.screen.empty()) event.location(sentence.screen, list(sentence.parameters));
    if (!sentence.content_id.empty() || !sentence.content.empty()) {
      event.content(sentence.content_id, list(sentence.content));
    }
    if (!sentence.referral.empty()) event.referral(sentence.referral);
    if (sentence.has_duration) {
      event.action(sentence.action_type, milliseconds(sentence.duration_ms), list(sentence.action));
    } else {
      event.action(sentence.action_type, list(sentence.action));
    }
    if (sentence.has_time) event.at_unix_ms(sentence.unix_ms);
    // A dry run shows the rows in their order.
    if (sentence.critical && !dry_run_) event.critical();
    return event.track();
  }

  // Gives the row to the tracker, for as long as it takes. Answers false when the run is to end before that.
  bool track(std::uint64_t line, const Sentence& sentence) {
    for (;;) {
      const yukha::Status status = track_once(sentence);
      switch (status.code()) {
        case yukha::Code::ok:
          return true;
        case yukha::Code::kept_in_memory:
          if (!std::exchange(told_memory_, true)) std::fprintf(stderr, "yukha-replay: %s\n", status.message().c_str());
          return true;
        case yukha::Code::ring_full:
        case yukha::Code::disk_full:
        case yukha::Code::disk_error:
        case yukha::Code::out_of_memory: {
          const auto now = Clock::now();
          if (now >= tell_again_) {
            std::fprintf(stderr, "yukha-replay: waiting: %s\n", status.message().c_str());
            tell_again_ = now + std::chrono::seconds(5);
          }
          rest_until(now + milliseconds(100));
          if (stopped()) return false;
          if (progress_.due(now)) progress_.print(now, rows_, tracker_.stats());
          continue;
        }
        case yukha::Code::sentence_too_large:
        case yukha::Code::bad_member_name:
        case yukha::Code::reserved_member:
        case yukha::Code::repeated_member:
        case yukha::Code::missing_action:
        case yukha::Code::bad_time:
        case yukha::Code::too_many_members:
        case yukha::Code::not_a_sentence:
        case yukha::Code::bad_argument:
          // The tracker counts these itself, so that a resumed run passes over them like over accepted ones.
          tell(line, "unmapped: " + why_refused(status, sentence));
          return true;
        default:
          throw Failure{exit_failed, status.message()};
      }
    }
  }

  static std::string why_refused(const yukha::Status& status, const Sentence& sentence) {
    std::string why = status.message();
    if (status != yukha::Code::sentence_too_large) return why;
    std::string name;
    const std::size_t bytes = longest_member(sentence, name).size();
    return why + "; its largest member is " + name + " with " + std::to_string(bytes) +
           " bytes, which \"too_long\": \"cut\" in the mapping shortens";
  }

  void check_passed_over() const {
    if (rows_.offered >= passed_over_) return;
    throw Failure{exit_usage, journal_path_ +
                                  " does not belong to this queue: more sentences were kept since than the "
                                  "input has rows; remove it to begin anew"};
  }

  void finish_journal() {
    if (journal_.finished || dry_run_) return;
    journal_.finished = true;
    std::string problem;
    if (!write_journal(journal_path_, journal_, problem)) throw Failure{exit_failed, problem};
  }

  void wait_for_delivery() {
    constexpr milliseconds slice{500};
    while (tracker_.stats().waiting > 0 && !stopped()) {
      const auto slice_began = Clock::now();
      milliseconds patience = slice;
      if (deadline_) {
        patience =
            std::min(slice, std::chrono::duration_cast<milliseconds>(*deadline_ - slice_began) + milliseconds(1));
      }
      const yukha::Status status = tracker_.flush(patience);
      if (!status.good()) throw Failure{exit_failed, status.message()};
      const auto now = Clock::now();
      if (progress_.due(now)) progress_.print(now, rows_, tracker_.stats());
      // A flush that knows at once that it cannot deliver must not turn this into a spinning loop.
      if (status != yukha::Code::ok) rest_until(slice_began + std::min(patience, milliseconds(100)));
    }
  }

  // Whatever lies there, whichever run put it there. Of very many not all: answers false then.
  bool look_into_quarantine(Reasons& reasons) const {
    constexpr int pages_max = 100;
    std::uint64_t after = 0;
    for (int page = 0; page < pages_max; ++page) {
      const std::vector<yukha::Quarantined> found = tracker_.quarantined(after);
      if (found.empty()) return true;
      for (const yukha::Quarantined& one : found) reasons.add(one.reason.empty() ? "no reason was given" : one.reason);
      after = found.back().number;
    }
    return false;
  }

  int report() {
    if (!options_.strict) {
      for (const std::string& text : mapper_->left_out()) {
        std::fprintf(stderr, "%s: %s\n", printable(options_.map_path).c_str(), printable(text).c_str());
      }
    }
    Reasons quarantined;
    const bool saw_all = look_into_quarantine(quarantined);
    // What a request that runs still may take; the deadline was for it, too.
    const yukha::Status closed = deadline_ && stopped() ? tracker_.close(milliseconds(0)) : tracker_.close();
    if (!closed.good()) std::fprintf(stderr, "yukha-replay: %s\n", closed.message().c_str());
    const Outcome outcome = outcome_of(rows_, tracker_.stats(), journal_.began);
    if (dry_run_) {
      dry_run_->print(options_.json);
      std::fputs("yukha-replay: a dry run: nothing was sent, and delivered is what would have been\n", stderr);
    }
    if (options_.json) {
      std::puts(as_json(outcome).c_str());
    } else {
      std::fputs(as_table(outcome).c_str(), stdout);
    }
    std::fflush(stdout);
    if (outcome.since.waiting > 0) not_delivered_->tell("not delivered", "request");
    quarantined.tell("in quarantine", "sentence");
    if (!saw_all) std::fputs("yukha-replay: in quarantine: more than these 10,000, which were looked at\n", stderr);
    if (broken_off_) {
      if (!dry_run_) tell_the_way_on(outcome.since.waiting);
      return broken_off_->code;
    }
    if (!closed.good()) return exit_failed;
    const bool all_delivered = all_offered_ && outcome.since.waiting == 0;
    if (!all_delivered) return caught_signal != 0 ? 128 + caught_signal : exit_waiting;
    const yukha::Stats& since = outcome.since;
    if (since.quarantined + since.evicted + since.erased + since.lost > 0) return exit_given_up;
    return outcome.unmapped() > 0 || without_rows_ || (options_.strict && never_found_) ? exit_unmapped
                                                                                        : exit_delivered;
  }

  const Options& options_;
  std::string queue_dir_;
  std::shared_ptr<DryRun> dry_run_;
  std::string input_names_;
  std::size_t input_ = 0;  // which of the inputs is read
  struct {
    std::size_t input = 0;
    std::uint64_t line = 0;
  } last_row_;
  std::optional<Failure> broken_off_;  // an input that could not be read on, or not be begun
  std::shared_ptr<Reasons> not_delivered_ = std::make_shared<Reasons>();
  bool never_found_ = false;
  bool without_rows_ = false;  // "rows" led to no array, and to no row before
  std::string array_in_first_row_;
  std::optional<Clock::time_point> deadline_;
  Progress progress_;
  Complaints complaints_;
  Mapping mapping_;
  std::string map_sha256_;
  std::string input_sha256_;
  std::unique_ptr<RecordReader> reader_;
  std::unique_ptr<Mapper> mapper_;
  std::string journal_path_;
  Journal journal_;
  bool resumed_ = false;
  bool begun_ = false;
  bool all_offered_ = false;
  bool told_memory_ = false;
  Clock::time_point tell_again_{};
  std::uint64_t passed_over_ = 0;  // rows that an earlier run gave to the tracker
  Rows rows_;
  yukha::Tracker tracker_;
};

}  // namespace

int run(const Options& options, Clock::time_point began) {
  return Run(options, began).go();
}

}  // namespace replay

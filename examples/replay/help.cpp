#include "options.hpp"

namespace replay {

// The README holds the same text, and a test compares them.
const char* const help_text = R"help(yukha-replay: tracks every row of its inputs as a sentence and delivers them all.

  yukha-replay --endpoint URL --key-file FILE --queue DIR --map FILE
               [--rate N] [--limit N] [--resume] [--deadline S] [--strict] [--json] INPUT…
  yukha-replay --dry-run N --map FILE [--limit N] [--strict] [--json] INPUT…

  --endpoint URL       posted to as given; an empty path means /v1/events
  --key-file FILE      signs the requests: KEYID:BASE64 on each line, the first is preferred
  --key KEYID:BASE64   the same, where others may read the command line
  --queue DIR          where sentences wait until they are delivered
  --map FILE           says what of a row goes into which part of a sentence, see README.md
  --dry-run N          send nothing: print the first N sentences, each as its line of JSON
                       and in words, and count what the whole input would give
  --strict             a row with bytes that are no text, with a member that stands twice or
                       has no name in a sentence, with a time that a change of the clocks
                       showed twice or never, or with lines in its quotes that look like rows
                       is unmapped; a column that no row has makes the exit code
                       2; two columns of one name are refused. Without it they are told
  --limit N            only the first N rows
  --rate N             rows a second, evenly spaced; otherwise as fast as they are taken
  --resume             go on where an earlier run ended or was killed
  --deadline S         end S seconds after the start; otherwise wait until nothing waits
  --complaints N       tell of N rows for each kind of reason (20), and count the others
  --json               print the counts as one JSON object instead of a table
  --format F           csv, tsv, jsonl, json or lines, where the name of INPUT does not tell
  --progress S         a progress line every S seconds (a terminal: 1, otherwise 5)
  --allow-plain-http   http to a host that is not this machine
  --verbose            tell what the library logs
  INPUT                .csv .tsv .tab .jsonl .ndjson .json .log .txt, each also with .gz; one
                       after the other where there are several; - for stdin

Exit codes
  0   every row was delivered, or left out by the skip rule
  1   could not go on (queue not writable, lane held, input broken off: what was read before
      is delivered first, and how to go on is told)
  2   some rows could not be mapped, and the others were delivered; or "rows" led to none
  3   sentences still wait, or rows were not read yet, at the deadline
  4   the endpoint refused sentences for good, or some were evicted, erased or lost
  64  the command line, the mapping, the input's header or the journal is not usable
  128+n  ended by signal n, in order: what was tracked is on the disk; use --resume

Resuming
  Before its first row a run writes DIR/replay.json: the SHA-256 of the inputs and of the
  mapping, and the queue's counters. With --resume, the inputs are read again and as many
  rows are passed over as the queue has counted since; those counts are exact even after
  SIGKILL, so nothing is lost and nothing is sent twice. Without a journal --resume begins
  at the first row, and with a finished one it only delivers what still waits: a script
  may repeat the same command with --resume until it answers 0. Another input or mapping
  than the journal's is refused. Without --resume, an unfinished journal is refused and a
  finished one is begun anew. What can be read only once (stdin, a pipe) is not resumed.

The counts (--json), of all runs since the journal was begun
  Every row is in one of three: read = mapped + unmapped + skipped once the input was read
  to its end. And every line of a CSV, TSV, JSON lines or plain input is in one of four:
  lines = header_lines + blank_lines + further_lines + read, further_lines being those of
  quoted rows behind their first.
  read         rows of the inputs
  mapped       rows that became sentences       unmapped  rows that could not
  skipped      rows the skip rule left out      accepted  kept in the queue
  refused      calls that kept nothing: unmapped rows that only the library could tell, and
               attempts while the queue was full or the disk had no room, made again later
  delivered, quarantined, evicted, erased, lost           what became of the accepted
  waiting      what waits in the queue now, whoever put it there
  waiting_before  what waited in it before this journal was begun
  accepted + waiting_before = delivered + waiting + quarantined + evicted + erased + lost
  repaired     rows with bytes that are no text in the input's encoding, or with an escape
               that is half of a character (\ud800): U+FFFD instead
  repeated     rows of JSON with a member that stands twice: the last counts
  left_out     rows of which a member was left out, as "*" cannot take its name
  clock_change rows whose time the clocks of its zone showed twice or never
  cut          rows that were too long for a sentence, and were cut as the mapping says
  suspect      rows of several lines, where those in the quotes look like rows themselves
  without_rows JSON documents and elements in which "rows" leads to none; where there is no
               array, what is there instead is told
  A row that cannot be mapped is told on stderr as INPUT:LINE: unmapped: why. Behind the
  counts is told why sentences were not delivered: each reason of the endpoint's answers
  while some wait, and each reason in the quarantine, with how many they are.
  The endpoint gets one sentence an hour, at the most, that no row stands for: the
  library's own counters, with the action yukha_ledger. It is in none of these counts.

)help";

}  // namespace replay

#include "options.hpp"

namespace replay {

// The README holds the same text, and a test compares them.
const char* const help_text = R"help(yukha-replay: tracks every row of a file as a sentence and delivers them all.

  yukha-replay --endpoint URL --key KEYID:BASE64 --queue DIR --map FILE
               [--rate N] [--resume] [--deadline S] [--json] INPUT

  --endpoint URL       posted to as given; an empty path means /v1/events
  --key KEYID:BASE64   signs the requests; may be given again, the first is preferred
  --queue DIR          where sentences wait until they are delivered
  --map FILE           says what of a row goes into which part of a sentence, see below
  --rate N             rows a second, evenly spaced; otherwise as fast as they are taken
  --resume             go on where an earlier run ended or was killed
  --deadline S         end S seconds after the start; otherwise wait until nothing waits
  --json               print the counts as one JSON object instead of a table
  --format F           csv, tsv or jsonl, where the name of INPUT does not tell
  --progress S         a progress line every S seconds (a terminal: 1, otherwise 5)
  --allow-plain-http   http to a host that is not this machine
  --verbose            tell what the library logs
  INPUT                .csv .tsv .tab .jsonl .ndjson .json, each also with .gz; UTF-8

Exit codes
  0   every row was delivered, or left out by the skip rule
  1   could not go on (queue not writable, lane held, input broken off)
  2   some rows could not be mapped; the others were delivered
  3   sentences still wait, or rows were not read yet, at the deadline
  4   the endpoint refused sentences for good, or some were evicted, erased or lost
  64  the command line, the mapping, the input's header or the journal is not usable
  128+n  ended by signal n, in order: what was tracked is on the disk; use --resume

Resuming
  Before its first row a run writes DIR/replay.json: the SHA-256 of the input and of the
  mapping, and the queue's counters. With --resume, the input is read again and as many
  rows are passed over as the queue has counted since; those counts are exact even after
  SIGKILL, so nothing is lost and nothing is sent twice. Without a journal --resume begins
  at the first row, and with a finished one it only delivers what still waits: a script
  may repeat the same command with --resume until it answers 0. Another input or mapping
  than the journal's is refused. Without --resume, an unfinished journal is refused and a
  finished one is begun anew.

The counts (--json), of all runs since the journal was begun
  read         rows of the input (header and blank lines are none)
  mapped       rows that became sentences       unmapped  rows that could not
  skipped      rows the skip rule left out      accepted  kept in the queue
  refused      calls that kept nothing: unmapped rows that only the library could tell, and
               attempts while the queue was full or the disk had no room, made again later
  delivered, quarantined, evicted, erased, lost           what became of the accepted
  waiting      what waits in the queue now, whoever put it there
  waiting_before  what waited in it before this journal was begun
  read = mapped + unmapped + skipped once the input was read to its end, and
  accepted + waiting_before = delivered + waiting + quarantined + evicted + erased + lost
  A row that cannot be mapped is told on stderr as INPUT:LINE: unmapped: why.

The mapping file
  A JSON object. A sentence has six parts: user, device, location, content, referral,
  action, and a time. Each is a template, or an object of members with a template each:

  {
    "app_id": "shop",
    "time":     {"value": "{ts}", "format": "%Y-%m-%d %H:%M:%S.%f", "zone": "+06:00"},
    "user":     {"id": "{user_id}", "session": "{session}"},
    "device":   {"user_agent": "{ua}", "kind": ["{device}", "unknown"]},
    "location": "app://shop/{screen}?y={position}&list={event_data.list.name}",
    "content":  {"id": "card_{event_data.cards[0].id}", "price": "{price}"},
    "referral": "{referrer}",
    "action":   {"type": "{event}", "duration_ms": {"value": "{seconds}", "unit": "s"},
                 "row": "{#}", "*": {"from": "event_data", "except": ["list", "cards"]}},
    "skip":     [{"column": "event", "equals": ["PING", "PONG"]}, {"column": "user_id", "empty": true}],
    "critical": {"column": "event", "matches": "^(BUY|PAY)"}
  }

  Only app_id, time and action.type must be there.

Templates
  {column}             the column's value; in JSON lines, the row's member of that name
  {column.name[0].x}   into JSON: a column that holds JSON, nested or as text
  {'a.b'.'c d'}        names with . [ ] or }, quoted; '' is a quote within
  {#}                  the row's number, from 1
  {{ }}                the braces themselves
  Everything else stands for itself; a template without a reference is a constant. Values
  are taken as they are written: a number keeps all its digits, true and false are words,
  null is empty, objects and arrays become JSON without white space. A template is empty
  when all its references are, and what is empty is left out of the sentence. A list of
  templates gives the first that is not empty.

Members of the parts
  Names are [a-z][a-z0-9_]{0,63}. user.id and user.session, content.id, action.type and
  action.duration_ms (0 or more; a text is milliseconds, or {"value", "unit": s ms us ns})
  have a meaning; any other name is yours. A user without id is the anonymous one. device
  may not have id, run, seq, sdk, contract and clock_offset_ms, which the library writes.
  "*": "column", or {"from", "prefix", "except", "nested"}, or a list of them: every member
    of that JSON object becomes a member of the part. Names become lower case with _ for
    what is no letter or digit (userName: user_name; 1st: x_1st), after the prefix; members
    named in "except" are left out; nested objects join names with _ ("nested": "flatten")
    or stay JSON text ("json"); arrays are JSON text. Two members that become one name make
    the row unmapped.

Location
  "scheme://…": a URL. Values in it are percent-encoded (%20, never +); a query parameter
  whose values are all empty is left out, and the whole location when its path has
  references and all of them are empty.
  Any other text is a screen's name: app://<app_id>/<screen>, encoded by the library; so is
  {"screen": "{screen}", "y": "{position}"}, whose other members become the query. A
  "{column}" alone may hold a whole URL.

Time
  {"value": template, and either "unit": s, ms, us, ns (since 1970, fractions allowed) or
  rfc3339, or "format": a pattern or a list of patterns tried in order, "zone"}.
  Patterns: %Y %y %m %d %e %j %b %B %a %A %H %I %p %M %S %f (fraction) %z %s %T %F %D %%.
  zone: UTC or an offset like +06:00, for times that do not tell their own; UTC when
  missing. Kept to the millisecond, what is finer is cut off.
  "time": "now" is for rows without a time: they get that of their tracking.

Rules (skip, critical)
  {"column": "a.b[0]", …} with one or more of "exists": true or false (null exists),
  "empty": true or false, "equals": text or list, "matches": POSIX extended regular
  expression, found anywhere in the value. All of one object must hold; of a list of
  objects, one. A column that only rules name may be missing in the input.
  critical: sent before and given up after the others.

The input
  "format": csv, tsv, jsonl; "delimiter": one character (";"); "columns": [names] for a
  file without a header line. CSV and TSV are read by RFC 4180: fields in quotes may hold
  delimiters, line ends and doubled quotes; LF or CRLF; a byte order mark is passed over.
  A row may have 16 MiB. --format goes before "format", which goes before the file's name.
  "comment" is for you.
)help";

}  // namespace replay

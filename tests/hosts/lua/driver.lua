-- Does on bindings/lua what PROTOCOL.md says: luajit driver.lua yukha.lua libyukha.so. One command a line in, one answer
-- a line out.
local yukha = dofile(arg[1])(arg[2])

local tracker, event

local function words_of(line)
  local words = {}
  for word in (line .. "\t"):gmatch("([^\t]*)\t") do words[#words + 1] = word end
  return words
end

local function text(word)
  if word == nil or word == "null" then return nil end
  if word == "-" then return "" end
  return (word:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function in_hex(bytes)
  if bytes == "" then return "-" end
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

-- In the order given: a table with names has none. Every other call uses a table where that is the same.
local function members(words, first)
  local list = {}
  for i = first, #words - 1, 2 do list[#list + 1] = { text(words[i]), text(words[i + 1]) } end
  if #list == 1 and list[1][1] and list[1][2] then return { [list[1][1]] = list[1][2] } end
  return #list > 0 and list or nil
end

-- Whole milliseconds as the seconds Lua people have.
local function seconds(word)
  return tonumber(word) / 1000
end

local function said(code, name)
  return ("%d %s"):format(code, name)
end

local numbers = { upload_interval_ms = 1, sync_interval_ms = 1, ring_full_wait_ms = 1, queue_bytes_max = 1,
  ring_bytes = 1, age_max_hours = 1, allow_plain_http = 1, no_device_facts = 1 }

local obey = {}

function obey.open(words)
  local settings = {}
  for i = 2, #words - 1, 2 do
    local name, value = words[i], text(words[i + 1])
    if name == "key_secret" then name = "key_secret_base64" end
    if numbers[name] then value = value and tonumber(value) end
    settings[name] = value
  end
  local code, name
  tracker, code, name = yukha.open(settings)
  return said(code, name)
end

function obey.identify(words) return said(tracker:identify(text(words[2]), members(words, 3))) end

function obey.begin()
  event = tracker:event()
  return "0 ok"
end

local function part(call)
  return function(words)
    call(words)
    return "0 ok"
  end
end

obey.location = part(function(words) event:location(text(words[2]), members(words, 3)) end)
obey.content = part(function(words) event:content(text(words[2]), members(words, 3)) end)
obey.referral = part(function(words) event:referral(text(words[2])) end)
obey.action = part(function(words)
  local duration
  if words[3] ~= "-1" then duration = seconds(words[3]) end
  event:action(text(words[2]), duration, members(words, 4))
end)
obey.user = part(function(words) event:user(members(words, 2)) end)
obey.device = part(function(words) event:device(members(words, 2)) end)
obey.at = part(function(words) event:at(seconds(words[2])) end)
obey.critical = part(function() event:critical() end)

function obey.track() return said(event:track()) end
function obey.track_json(words) return said(tracker:track_json(text(words[2]))) end
function obey.consent(words) return said(tracker:set_consent(tonumber(words[2]))) end
function obey.get_consent() return ("%d"):format(tracker:consent()) end
function obey.erase() return said(tracker:erase()) end
function obey.flush(words) return said(tracker:flush(seconds(words[2]))) end
function obey.close(words) return said(tracker:close(seconds(words[2]))) end
function obey.last_error() return in_hex(tracker:last_error()) end
function obey.version() return in_hex(yukha.version()) end

function obey.stats()
  local found = tracker:stats()
  local out = {}
  for i, name in ipairs { "accepted", "delivered", "waiting", "quarantined", "evicted", "erased", "lost", "refused" } do
    out[i] = ("%d"):format(found[name])
  end
  return table.concat(out, " ")
end

-- Whatever is not closed is closed by the collector.
function obey.free()
  tracker, event = nil, nil
  collectgarbage()
  collectgarbage()
  return "0 ok"
end

for line in io.lines() do
  local words = words_of(line)
  local deed = obey[words[1]]
  io.write(deed and deed(words) or "unknown", "\n")
  io.flush()
end

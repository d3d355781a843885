-- A feed is read: cards scroll by, each is looked at for a while, some are liked. One sentence for each card that was
-- read, with how long, and one for the visit. What became of them is polled once a second, and drawn.
--
--   love examples/engines/love [--headless] [--library PATH] [--queue DIR] [--endpoint URL] [--quick]

local options = {}
for i, word in ipairs(arg) do
  local name = word:match("^%-%-(%a+)$")
  if name then options[name] = arg[i + 1] or true end
end

-- A game carries yukha.lua and the library beside its main.lua; in this checkout they lie elsewhere.
local root = love.filesystem.getSource():gsub("/+$", "") .. "/../../../"
package.path = root .. "bindings/lua/?.lua;" .. package.path
local yukha = require("yukha")(options.library or root .. "build/release/libyukha.so")

local feed = {
  { id = "card_901", kind = "news", title = "Rain until Sunday" },
  { id = "card_902", kind = "photo", title = "한강의 저녁" },
  { id = "card_903", kind = "ad", title = "Shoes, half price" },
  { id = "card_904", kind = "video", title = "How bread rises" },
  { id = "card_905", kind = "news", title = "A bridge reopens" },
  { id = "card_906", kind = "photo", title = "고양이 🐈" },
}

local speed = options.quick and 20 or 1
local dwell = { 2.5, 4, 0.5, 6, 1.5, 3 } -- seconds of the scene's own time
local tracker, place, looked, began, since_poll, ledger
local leaving = false

-- A refusal is for the developer; the player never sees one.
local function note(what, code, name)
  if code < 0 then print(("%s: %s, %s"):format(what, name, tracker:last_error())) end
end

local function read_card(card, seconds)
  note("READ", tracker:event()
    :location("FEED", { y = place })
    :content(card.id, { type = card.kind, title = card.title })
    :referral(place == 1 and "OPEN" or "SCROLL")
    :action("READ", seconds)
    :track())
  if card.kind == "photo" then
    note("LIKE", tracker:event():location("FEED", { y = place }):content(card.id):referral("READ"):action("LIKE"):track())
  end
end

function love.load()
  local code, name
  tracker, code, name = yukha.open {
    app_id = "feed",
    queue_dir = options.queue or love.filesystem.getSaveDirectory() .. "/events",
    endpoint = options.endpoint or "http://127.0.0.1:8080",
    key_id = "app-2026-11",
    key_secret_base64 = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=",
    app_version = "1.0.0",
    model = "LOVE " .. table.concat({ love.getVersion() }, ".", 1, 2),
  }
  print("open: " .. name)
  note("open", code, name)
  note("identify", tracker:identify("reader_7", { plan = "free" }))
  place, looked, began, since_poll = 1, 0, love.timer.getTime(), 0
  ledger = tracker:stats()
end

function love.update(dt)
  if leaving then return end
  looked = looked + dt * speed
  if looked >= dwell[place] then
    read_card(feed[place], dwell[place])
    place, looked = place + 1, 0
  end
  -- Polled, because a library's thread may not call into Lua.
  since_poll = since_poll + dt
  if since_poll >= 1 then
    since_poll, ledger = 0, tracker:stats()
  end
  if place > #feed then
    leaving = true
    love.event.quit()
  end
end

function love.draw()
  for i, card in ipairs(feed) do
    local y = 40 + (i - place) * 90 - looked / (dwell[place] or 1) * 90
    love.graphics.setColor(i == place and { 1, 1, 1 } or { 0.5, 0.5, 0.5 })
    love.graphics.rectangle("line", 40, y + 60, 400, 80, 8)
    love.graphics.print(card.kind .. "  " .. card.id, 56, y + 76)
  end
  love.graphics.setColor(0.6, 0.8, 1)
  love.graphics.print(("waiting %d   delivered %d"):format(ledger.waiting, ledger.delivered), 40, 560)
end

-- The player may close the window at any time; a second to deliver is what a game can give. The rest goes next time.
function love.quit()
  note("VISIT", tracker:event():location("FEED"):action("VISIT", love.timer.getTime() - began):track())
  local _, flushed = tracker:flush(1)
  ledger = tracker:stats()
  local _, closed = tracker:close(1)
  print(("flush: %s, close: %s, accepted %d, delivered %d, waiting %d"):format(flushed, closed, ledger.accepted,
    ledger.delivered, ledger.waiting))
  return false
end

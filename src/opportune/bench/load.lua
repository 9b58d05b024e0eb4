-- Load for wrk: bodies of one kind, at full speed or (PAUSE > 0) each connection pausing so many ms between requests.
-- Prints one JSON object: requests, how many of them were refused as too many (429), errors, and latencies in us.
local kind, key, customers, pause, run = os.getenv("KIND"), os.getenv("KEY"), tonumber(os.getenv("CUSTOMERS")),
  tonumber(os.getenv("PAUSE")), os.getenv("RUN")
local count, thread_number, threads = 0, 0, {}
refused = 0

function setup(thread)
  threads[#threads + 1] = thread
  thread:set("number", thread_number)
  thread_number = thread_number + 1
end

local function event(n)
  return string.format(
    '{"type":"track","userId":"c%d","event":"Page Seen","messageId":"%s-%d-%d","timestamp":"2026-01-31T12:00:00.000Z",' ..
    '"properties":{"page":"home","path":"/home","title":"Home","referrer":"https://shop.example/","price":12.5},' ..
    '"context":{"library":{"name":"analytics.js","version":"1.84.3"},"locale":"en-US","ip":"203.0.113.7",' ..
    '"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36","page":{"url":"https://shop.example/home"}},' ..
    '"integrations":{}}', n % customers, run, number, n)
end

function request()
  count = count + 1
  local path, body
  if kind == "decide" then
    path = "/v1/decide"
    body = string.format('{"userId":"c%d","placement":"app.home"}', (count * 7919) % customers)
  elseif kind == "single" then
    path, body = "/v1/track", event(count)
  else
    local events = {}
    for i = 1, 100 do events[i] = event(count * 100 + i) end
    path, body = "/v1/batch", '{"batch":[' .. table.concat(events, ",") .. '],"sentAt":"2026-01-31T12:00:00.000Z"}'
  end
  return wrk.format("POST", path, {["Authorization"] = "Bearer " .. key, ["Content-Type"] = "application/json"}, body)
end

function delay()
  if pause == 0 then return 0 end
  return math.random(0, 2 * pause)
end

function response(status)
  if status == 429 then refused = refused + 1 end
end

function done(summary, latency, requests)
  local errors, told = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout, 0
  for _, thread in ipairs(threads) do told = told + thread:get("refused") end
  io.write(string.format(
    '{"requests":%d,"refused":%d,"errors":%d,"seconds":%f,"p50":%d,"p99":%d,"max":%d}\n', summary.requests, told,
    errors - told, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), latency.max))
end

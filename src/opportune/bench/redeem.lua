-- POST /v1/coupons/redeem for wrk: each request another code of the file CODES. Prints one line of JSON.
local codes, at = {}, 0
local headers = {["Authorization"] = "Bearer " .. os.getenv("KEY"), ["Content-Type"] = "application/json"}

function init(args)
  for code in io.lines(os.getenv("CODES")) do codes[#codes + 1] = code end
end

function request()
  at = at % #codes + 1
  local body = string.format('{"code":"%s","orderId":"%s-%d","amount":80}', codes[at], os.getenv("RUN"), at)
  return wrk.format("POST", "/v1/coupons/redeem", headers, body)
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50":%d,"p99":%d,"errors":%d}\n', summary.requests, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end

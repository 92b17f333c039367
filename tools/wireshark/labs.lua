-- A dissector for the frames of netkit, and for what the labs put into them: docs/wire-format.md.
--
-- Runs use ports that are free when they start, so nothing can be known by the port. A connection is taken
-- for netkit's if its first bytes are the hello of a handshake, or a whole message with everything in its
-- place; `Decode As... netkit` does the same by hand. TCP may cut a frame anywhere, and join several.

-- Whoever has installed this file and names it with `-X` too loads it twice: the first one stays.
local is_first, netkit = pcall(Proto, "netkit", "Netkit frames of the labs")
if not is_first then return end

local LAUNCHER, KEEPER = 0xffffffff, 0xfffffffe
local HEADER = 4 -- the length
local ENVELOPE_HEAD = 16 -- number and seal
local ENVELOPE_FULL = 4096 + HEADER -- what an envelope may hold beside its largest frame
local DATAGRAM_HEAD = 31 -- of a sealed datagram, without the name of the run
local MESSAGE_MIN = 45 -- a message's header without a clock
local RANK_MAX = 0x1000000
local ENTRIES_MAX = 256 -- above so many processes there are no clocks

local TYPES = {
  [1] = "hello", [2] = "challenge", [3] = "proof", [4] = "sealed datagram", [5] = "envelope",
  [10] = "message", [11] = "ping", [12] = "pong",
  [20] = "to launcher", [21] = "to process", [30] = "unknown",
}
local HELLO, CHALLENGE, PROOF, DATAGRAM, ENVELOPE = 1, 2, 3, 4, 5
local MESSAGE, PING, PONG, TO_LAUNCHER, TO_PROCESS, UNKNOWN = 10, 11, 12, 20, 21, 30

local TO_LAUNCHER_NAMES = {
  [0] = "Hello", "Launched", "Ready", "Finished", "PeerLost", "Failed", "Pong", "Toll", "Journal", "Log",
}
local TO_PROCESS_NAMES = {
  [0] = "Release", "Go", "Follow", "Ping", "Collect", "Stop", "Resume", "Moved", "Gone",
}

local field = {
  length = ProtoField.uint32("netkit.length", "Length", base.DEC, nil, nil, "Bytes of the body"),
  type = ProtoField.uint8("netkit.type", "Type", base.DEC, TYPES),
  run = ProtoField.string("netkit.run", "Run"),
  version = ProtoField.uint8("netkit.version", "Version of the handshake"),
  nonce = ProtoField.bytes("netkit.nonce", "Nonce"),
  proof = ProtoField.bytes("netkit.proof", "Proof"),
  number = ProtoField.uint64("netkit.number", "Number", base.DEC, nil, nil, "Of this envelope or datagram"),
  seal = ProtoField.bytes("netkit.seal", "Seal", base.NONE, "Shows that a member has sent this, unchanged"),
  from = ProtoField.uint32("netkit.from", "Sender", base.DEC, nil, nil, "Its rank"),
  to = ProtoField.uint32("netkit.to", "Receiver", base.DEC, nil, nil, "Its rank"),
  id = ProtoField.string("netkit.id", "Message id", base.ASCII, "As in traces: 2-17"),
  n = ProtoField.uint64("netkit.n", "Event of the sender", base.DEC),
  lamport = ProtoField.uint64("netkit.lamport", "Lamport time", base.DEC),
  kind = ProtoField.string("netkit.kind", "Kind"),
  clock = ProtoField.string("netkit.clock", "Vector clock"),
  message = ProtoField.bytes("netkit.message", "Message"),
  tag = ProtoField.uint32("netkit.tag", "Tag", base.DEC),
  body = ProtoField.bytes("netkit.body", "Body"),
}
netkit.fields = field

netkit.prefs.max_frame = Pref.uint("Largest frame", 0x100000,
  "Bytes of the largest body that a run accepts: as its --max-frame, netkit's default without it")

local expert = {
  too_long = ProtoExpert.new("netkit.too_long", "A frame longer than the limit (preference netkit.max_frame)",
    expert.group.MALFORMED, expert.severity.ERROR),
  malformed = ProtoExpert.new("netkit.malformed", "Not as the wire format says",
    expert.group.MALFORMED, expert.severity.ERROR),
}
netkit.experts = { expert.too_long, expert.malformed }

local stream_of = Field.new("tcp.stream")

-- What the hello of a connection said, by the number of its TCP stream: who initiated it, whether it leads to
-- the launcher. Filled in when packets are read first, in their order.
local connections = {}

function netkit.init()
  connections = {}
end

local function name(rank)
  return rank == LAUNCHER and "launcher" or rank == KEEPER and "keeper" or "p" .. rank
end

local function stream()
  local found = stream_of()
  return found and found.value
end

-- Dissects one body; returns what to say of it in the list of packets.
local dissect = {}

dissect[HELLO] = function(body, pinfo, tree)
  local from, to = body(6, 4):uint(), body(10, 4):uint()
  tree:add(field.version, body(4, 1))
  tree:add(field.from, body(6, 4)):append_text(" (" .. name(from) .. ")")
  tree:add(field.to, body(10, 4)):append_text(" (" .. name(to) .. ")")
  tree:add(field.nonce, body(14, 32))
  tree:add(field.run, body(47, body(46, 1):uint()))
  local number = stream()
  if number and not pinfo.visited then
    connections[number] = { port = pinfo.src_port, launcher = from == LAUNCHER or to == LAUNCHER }
  end
  return string.format("%s → %s hello", name(from), name(to))
end

dissect[CHALLENGE] = function(body, _, tree)
  tree:add(field.version, body(4, 1))
  tree:add(field.nonce, body(6, 32))
  tree:add(field.proof, body(38, 32))
  return "challenge"
end

dissect[PROOF] = function(body, _, tree)
  tree:add(field.version, body(4, 1))
  tree:add(field.proof, body(6, 32))
  return "proof"
end

dissect[MESSAGE] = function(body, _, tree)
  local from, to, n = body(4, 4):uint(), body(8, 4):uint(), body(12, 8):uint64()
  local id = string.format("%u-%s", from, n)
  local kind = body(28, 16):stringz()
  tree:add(field.from, body(4, 4))
  tree:add(field.to, body(8, 4))
  tree:add(field.n, body(12, 8))
  tree:add(field.id, body(4, 16), id):set_generated()
  tree:add(field.lamport, body(20, 8))
  tree:add(field.kind, body(28, 16), kind)
  local at = MESSAGE_MIN
  if body(44, 1):uint() == 1 then
    local entries = body(45, 8):uint64():tonumber()
    if entries > ENTRIES_MAX or at + 8 + 8 * entries > body:len() then
      tree:add_proto_expert_info(expert.malformed)
      return "malformed message"
    end
    local clock = {}
    for i = 0, entries - 1 do clock[#clock + 1] = tostring(body(53 + 8 * i, 8):uint64()) end
    tree:add(field.clock, body(44, 9 + 8 * entries), "[" .. table.concat(clock, ",") .. "]")
    at = 53 + 8 * entries
  end
  if at < body:len() then tree:add(field.message, body(at)) end
  return string.format("p%u → p%u %s %s (Lamport %s)", from, to, kind, id, body(20, 8):uint64())
end

dissect[DATAGRAM] = function(body, _, tree)
  local from, to = body(6, 4):uint(), body(10, 4):uint()
  local run = body(30, 1):uint()
  tree:add(field.version, body(4, 1))
  tree:add(field.from, body(6, 4)):append_text(" (" .. name(from) .. ")")
  tree:add(field.to, body(10, 4)):append_text(" (" .. name(to) .. ")")
  tree:add(field.number, body(14, 8))
  tree:add(field.seal, body(22, 8))
  tree:add(field.run, body(31, run))
  local at = DATAGRAM_HEAD + run
  if at < body:len() then tree:add(field.body, body(at)) end
  return string.format("%s → %s sealed, %u bytes", name(from), name(to), body:len() - at)
end

dissect[PING] = function() return "ping" end
dissect[PONG] = function() return "pong" end

local function of_launcher(names, before, after)
  return function(body, _, tree)
    tree:add(field.tag, body(0, 4))
    tree:add(field.body, body())
    return before .. (names[body(0, 4):uint()] or "unknown") .. after
  end
end
dissect[TO_LAUNCHER] = of_launcher(TO_LAUNCHER_NAMES, "", " → launcher")
dissect[TO_PROCESS] = of_launcher(TO_PROCESS_NAMES, "launcher → ", "")

dissect[UNKNOWN] = function(body, _, tree)
  tree:add(field.body, body())
  return "frame of " .. body:len() .. " bytes"
end

-- The length of each frame of the handshake, where it is fixed.
local HANDSHAKE = { [HELLO] = { 47, 111 }, [CHALLENGE] = { 70, 70 }, [PROOF] = { 38, 38 } }

local function is_sealed_datagram(body)
  return body:len() >= DATAGRAM_HEAD and body(0, 4):string() == "nkit" and body(5, 1):uint() == DATAGRAM
    and DATAGRAM_HEAD + body(30, 1):uint() <= body:len()
end

local function handshake(body)
  if body:len() < 6 or body(0, 4):string() ~= "nkit" then return nil end
  local kind = body(5, 1):uint()
  local range = HANDSHAKE[kind]
  if not range or body:len() < range[1] or body:len() > range[2] then return nil end
  if kind == HELLO and body:len() ~= 47 + body(46, 1):uint() then return nil end
  return kind
end

-- The type of a frame that is no part of a handshake.
local function type_of(body, pinfo)
  if body:len() < 4 then return UNKNOWN end
  local number = stream()
  local connection = number and connections[number]
  if connection and connection.launcher then
    return pinfo.src_port == connection.port and TO_LAUNCHER or TO_PROCESS
  end
  local tag = body(0, 4):uint()
  if tag == 0 and body:len() >= MESSAGE_MIN then return MESSAGE end
  if tag == 1 and body:len() == 4 then return PING end
  if tag == 2 and body:len() == 4 then return PONG end
  return UNKNOWN
end

-- Whether a message begins here, as far as its header tells.
local function is_message(tvb)
  if tvb:len() < HEADER + MESSAGE_MIN then return false end
  local length = tvb(0, 4):uint()
  if length < MESSAGE_MIN or length > netkit.prefs.max_frame or tvb(4, 4):uint() ~= 0 then return false end
  if tvb(8, 4):uint() >= RANK_MAX or tvb(12, 4):uint() >= RANK_MAX or tvb(48, 1):uint() > 1 then
    return false
  end
  -- The kind: letters, then zeros.
  return tvb(32, 16):raw():match("^[%w_%-]+%z*$") ~= nil
end

-- Whether whole frames, and nothing else, stand behind number and seal.
local function holds_frames(body)
  local at = ENVELOPE_HEAD
  while at + HEADER <= body:len() do at = at + HEADER + body(at, HEADER):uint() end
  return at == body:len() and at > ENVELOPE_HEAD
end

-- Behind a handshake there are envelopes. Where none was captured, what is in it tells.
local function is_envelope(tvb, body)
  local number = stream()
  if number and connections[number] then return body:len() >= ENVELOPE_HEAD end
  return not is_message(tvb) and body:len() > ENVELOPE_HEAD and holds_frames(body)
end

local function frame_length(tvb, _, at)
  local length = tvb(at, HEADER):uint()
  -- There is no way to find the next frame behind such a one: what is there is shown as it is.
  if length > netkit.prefs.max_frame + ENVELOPE_HEAD + ENVELOPE_FULL then return tvb:len() - at end
  return HEADER + length
end

-- One frame of a program; `tvb` holds it, as far as it was captured.
local function plain(tvb, pinfo, branch)
  local length = tvb(0, HEADER):uint()
  branch:add(field.length, tvb(0, HEADER))
  if length > netkit.prefs.max_frame then
    branch:add_proto_expert_info(expert.too_long)
    return "too long"
  elseif length == 0 then
    branch:add(field.type, UNKNOWN):set_generated()
    return "empty frame"
  elseif tvb:len() < HEADER + length then
    return "cut off by the capture"
  end
  local body = tvb(HEADER, length):tvb()
  local kind = type_of(body, pinfo)
  branch:add(field.type, kind):set_generated()
  return dissect[kind](body, pinfo, branch)
end

-- Number, seal, and the frames of an envelope, each with a branch of its own.
local function envelope(body, pinfo, branch)
  branch:add(field.number, body(0, 8))
  branch:add(field.seal, body(8, 8))
  local at, all = ENVELOPE_HEAD, {}
  while at < body:len() do
    local left = body:len() - at
    local whole = left < HEADER and left or HEADER + body(at, HEADER):uint()
    if left < HEADER or whole > left then
      branch:add_proto_expert_info(expert.malformed)
      all[#all + 1] = "malformed frame"
      break
    end
    local inner = branch:add(netkit, body(at, whole))
    local said = plain(body(at, whole):tvb(), pinfo, inner)
    inner:set_text("Frame, " .. said)
    all[#all + 1] = said
    at = at + whole
  end
  return table.concat(all, "; ")
end

-- What a length says belongs together: a frame of the handshake, an envelope, or a frame without one.
local function unit(tvb, pinfo, branch)
  local length = tvb(0, HEADER):uint()
  if tvb:len() < HEADER + length then return plain(tvb, pinfo, branch) end
  if length == 0 then return plain(tvb, pinfo, branch) end
  local body = tvb(HEADER, length):tvb()
  local kind = handshake(body)
    or is_sealed_datagram(body) and pinfo.port_type == 3 and DATAGRAM
    or is_envelope(tvb, body) and ENVELOPE
  if not kind then return plain(tvb, pinfo, branch) end
  branch:add(field.length, tvb(0, HEADER))
  branch:add(field.type, kind):set_generated()
  if kind == ENVELOPE then return envelope(body, pinfo, branch) end
  return dissect[kind](body, pinfo, branch)
end

local function frame(tvb, pinfo, tree)
  local branch = tree:add(netkit, tvb())
  local said = unit(tvb, pinfo, branch)
  branch:append_text(", " .. said)
  pinfo.cols.protocol = "NETKIT"
  local before = tostring(pinfo.cols.info)
  if pinfo.private["netkit"] == "1" and before ~= "" then said = "; " .. said else pinfo.cols.info = "" end
  pinfo.private["netkit"] = "1"
  pinfo.cols.info:append(said)
  return tvb:len()
end

local function dissect_all(tvb, pinfo, tree)
  pinfo.private["netkit"] = "0"
  if pinfo.port_type == 2 then -- TCP
    dissect_tcp_pdus(tvb, tree, HEADER, frame_length, frame)
    return tvb:len()
  end
  if tvb:len() < HEADER or tvb(0, HEADER):uint() ~= tvb:len() - HEADER then return 0 end
  return frame(tvb, pinfo, tree)
end

netkit.dissector = dissect_all

local function is_hello(tvb)
  return tvb:len() >= 10 and tvb(4, 4):string() == "nkit" and tvb(9, 1):uint() <= PROOF
end

-- Whether an envelope whose first frame is a message begins here.
local function is_envelope_of_message(tvb)
  local head = HEADER + ENVELOPE_HEAD
  if tvb:len() <= head or not is_message(tvb(head):tvb()) then return false end
  return tvb(0, HEADER):uint() >= ENVELOPE_HEAD + HEADER + tvb(head, HEADER):uint()
end

local function guess(tvb, pinfo, tree)
  if not is_hello(tvb) and not is_message(tvb) and not is_envelope_of_message(tvb) then return false end
  pinfo.conversation = netkit
  -- Not through `netkit.dissector`: what one dissector calls through another may not ask for more segments.
  dissect_all(tvb, pinfo, tree)
  return true
end

netkit:register_heuristic("tcp", guess)
DissectorTable.get("tcp.port"):add_for_decode_as(netkit)
DissectorTable.get("udp.port"):add_for_decode_as(netkit)

%% Erlang's side of the topics "tasks", "values", "crowd" and "reload":
%% processes, their mailboxes, what they send, and new code for them. It answers
%% requests as bench/peer.h describes. The number of schedulers is
%% fixed when the emulator starts, so that each number has an emulator:
%%
%%     erl +S 2:2 +P 2000000 -noshell -noinput -pa FOLDER -run erlang_peer main
%%
%% There is no bounded mailbox: the row with one producer counts credit, the
%% row with four lets mailboxes grow.
-module(erlang_peer).
-export([main/0, idle/0, wait/1]).

-define(BATCH, 1000).
-define(CREDIT, 1024).

subjects() ->
    [{"spawn_join", 50000, "Erlang spawn and message", fun spawn_join/1},
     {"forkjoin_fib27", 20000, "Erlang spawn and message", fun fork_join/1},
     {"roundtrip", 50000, "Erlang messages", fun round_trip/1},
     {"spsc_1024", 200000, "Erlang mailbox, credit of 1024", fun one_to_one/1},
     {"mpmc44_1024", 100000, "Erlang mailboxes, unbounded", fun four_to_four/1},
     {"switch2", 200000, "Erlang yield", fun(Count) -> yield(Count, 2) end},
     {"yield1000", 200000, "Erlang yield", fun(Count) -> yield(Count, 1000) end},
     {"parked", 1000000, "Erlang process", fun parked/1},
     {"copy_list_1e6", 1000000, "Erlang send",
      fun(Count) -> send(lists:seq(1, Count), Count) end},
     {"copy_tree_1e6", 1000000, "Erlang send",
      fun(Count) -> send(tree(Count), Count) end},
     {"copy_vec_1e6", 1000000, "Erlang send of a tuple",
      fun(Count) -> send(list_to_tuple(lists:seq(1, Count)), Count) end},
     {"commit_10k", 10000, "Erlang finish_loading, all functions change",
      fun commit/1},
     {"adopt_10k", 10000, "Erlang processes", fun adopt/1},
     {"code_free", 10000, "Erlang purge", fun free/1}].

%% A million processes take their time: one scheduler's figure must do.
is_for("parked", Workers) -> Workers =:= 1;
is_for("copy_" ++ _, Workers) -> Workers =:= 1;
is_for("commit_10k", Workers) -> Workers =:= 2;
is_for("adopt_10k", Workers) -> Workers =:= 2;
is_for("code_free", Workers) -> Workers =:= 2;
is_for(_, _) -> true.

%% In the table values are copied by no runtime, on no workers.
shown("copy_" ++ _, _) -> 0;
shown(_, Workers) -> Workers.

main() ->
    Workers = erlang:system_info(schedulers_online),
    [say("~s\t~b\t~b\t~s~n", [Key, shown(Key, Workers), Count, Name])
     || {Key, Count, Name, _} <- subjects(), is_for(Key, Workers)],
    say("~n", []),
    %% With -noinput nothing else reads the input; a port does, in lines.
    serve(open_port({fd, 0, 1}, [in, eof, {line, 256}])).

serve(Input) ->
    receive
        {Input, {data, {eol, Line}}} ->
            say("~s~n", [answer(string:lexemes(Line, " "))]),
            serve(Input);
        {Input, eof} ->
            halt()
    end.

say(Format, Arguments) ->
    io:format(user, Format, Arguments).

answer([Key, _Workers, Count]) ->
    case lists:keyfind(Key, 1, subjects()) of
        {_, _, _, Sample} -> in_process(Sample, list_to_integer(Count));
        false -> "- no such subject"
    end;
answer(_) ->
    "- not a request".

%% A process of its own, so that no sample finds the heap of the one before.
in_process(Sample, Count) ->
    Self = self(),
    {_, Reference} = spawn_monitor(fun() -> Self ! {figures, Sample(Count)} end),
    receive
        {figures, Figures} ->
            demonitor(Reference, [flush]),
            Figures;
        {'DOWN', Reference, _, _, _} ->
            "- a process has failed"
    end.

now_ns() ->
    erlang:monotonic_time(nanosecond).

per_operation(Begin, Count) ->
    io_lib:format("~.3f", [(now_ns() - Begin) / Count]).

%% Calls a function so many times.
times(0, _) -> ok;
times(N, Fun) -> Fun(), times(N - 1, Fun).

%% Takes so many messages that are the atom.
collect(0, _) -> ok;
collect(N, Atom) -> receive Atom -> collect(N - 1, Atom) end.

%% --- values -------------------------------------------------------------

tree(0) ->
    tip;
tree(Count) ->
    Right = (Count - 1) div 2,
    {fork, tree(Count - 1 - Right), Count, tree(Right)}.

%% What the sender spends on the copy that it sends.
send(Value, Count) ->
    {Receiver, Reference} = spawn_monitor(fun() -> receive _ -> ok end end),
    Begin = now_ns(),
    Receiver ! Value,
    Figure = per_operation(Begin, Count),
    receive {'DOWN', Reference, _, _, _} -> Figure end.

%% --- spawn, fork --------------------------------------------------------

spawn_join(Count) ->
    Self = self(),
    Begin = now_ns(),
    Child = fun() -> Self ! done end,
    times(Count div ?BATCH,
          fun() ->
              times(?BATCH, fun() -> spawn(Child) end),
              collect(?BATCH, done)
          end),
    per_operation(Begin, Count).

%% The largest n for which fib(n) forks at most so many times, and how often
%% it does.
fib_size(N, These, Next, Forks) when Next =< Forks ->
    fib_size(N + 1, Next, These + Next + 1, Forks);
fib_size(N, These, _, _) ->
    {N, These}.

fib(N) when N < 2 ->
    N;
fib(N) ->
    Self = self(),
    Reference = make_ref(),
    spawn(fun() -> Self ! {Reference, fib(N - 1)} end),
    Mine = fib(N - 2),
    receive {Reference, Other} -> Mine + Other end.

fork_join(Count) ->
    {N, Forks} = fib_size(1, 0, 1, Count),
    Begin = now_ns(),
    true = fib(N) > Forks div 2,
    per_operation(Begin, Forks).

%% --- messages -----------------------------------------------------------

echo() ->
    receive {From, Word} -> From ! Word, echo(); stop -> ok end.

round_trip(Count) ->
    Echo = spawn(fun echo/0),
    Self = self(),
    Begin = now_ns(),
    times(Count, fun() -> Echo ! {Self, word}, receive word -> ok end end),
    Figure = per_operation(Begin, Count),
    Echo ! stop,
    Figure.

%% Sends while it has credit; the receiver gives half of it back at a time.
send_credit(_, 0, _) ->
    ok;
send_credit(To, Count, 0) ->
    receive credit -> send_credit(To, Count, ?CREDIT div 2) end;
send_credit(To, Count, Credit) ->
    To ! Count,
    send_credit(To, Count - 1, Credit - 1).

take_credit(_, 0) ->
    ok;
take_credit(From, Count) ->
    receive Word when is_integer(Word) -> ok end,
    case Count rem (?CREDIT div 2) of
        0 -> From ! credit;
        _ -> ok
    end,
    take_credit(From, Count - 1).

one_to_one(Count) ->
    Self = self(),
    Begin = now_ns(),
    Sender = spawn(fun() ->
        receive {to, To} -> send_credit(To, Count, ?CREDIT) end
    end),
    Receiver = spawn(fun() -> take_credit(Sender, Count), Self ! done end),
    Sender ! {to, Receiver},
    collect(1, done),
    per_operation(Begin, Count).

send_round(_, 0) ->
    ok;
send_round([To | Others], Count) ->
    To ! word,
    send_round(Others ++ [To], Count - 1).

four_to_four(Count) ->
    Self = self(),
    Share = Count div 4,
    Begin = now_ns(),
    Receivers = [spawn(fun() -> collect(Share, word), Self ! done end)
                 || _ <- lists:seq(1, 4)],
    [spawn(fun() -> send_round(Receivers, Share) end) || _ <- lists:seq(1, 4)],
    collect(4, done),
    per_operation(Begin, Count).

%% --- yield --------------------------------------------------------------

yield(Count, Parties) ->
    Self = self(),
    Begin = now_ns(),
    times(Parties,
          fun() ->
              spawn(fun() ->
                  times(Count div Parties, fun erlang:yield/0),
                  Self ! done
              end)
          end),
    collect(Parties, done),
    per_operation(Begin, Count).

%% --- parked -------------------------------------------------------------

resident_bytes() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:lexemes(binary_to_list(Text), " "),
    list_to_integer(Pages) * 4096.

idle() ->
    receive stop -> ok end.

wait(Waiting) ->
    counters:add(Waiting, 1, 1),
    idle().

until(Waiting, Count) ->
    case counters:get(Waiting, 1) of
        Count -> ok;
        _ -> erlang:yield(), until(Waiting, Count)
    end.

parked(Count) ->
    Waiting = counters:new(1, [atomics]),
    Before = resident_bytes(),
    Begin = now_ns(),
    times(Count, fun() -> spawn(?MODULE, wait, [Waiting]) end),
    until(Waiting, Count),
    Created = per_operation(Begin, Count),
    Grown = resident_bytes() - Before,
    %% The processes end with the emulator: there is no further sample.
    io_lib:format("~.1f ~s", [Grown / Count, Created]).

%% --- code ---------------------------------------------------------------

%% The binary of a module with so many functions, in one of two versions; made
%% once. Its loop/2 yields, and calls itself in its newest version; it notes
%% when it finds itself in another version than before.
binary(Functions, Version) ->
    Key = {?MODULE, Functions, Version},
    case persistent_term:get(Key, none) of
        none ->
            Binary = compile_module(Functions, Version),
            persistent_term:put(Key, Binary),
            Binary;
        Binary ->
            Binary
    end.

compile_module(Functions, Version) ->
    Names = ["f" ++ integer_to_list(I) || I <- lists:seq(1, Functions)],
    Texts =
        ["-module(bench_code).",
         io_lib:format("-export([loop/3~s]).", [[[", ", N, "/1"] || N <- Names]]),
         io_lib:format("loop(Count, Times, ~b) ->"
                       "    erlang:yield(), ?MODULE:loop(Count, Times, ~b);"
                       "loop(Count, Times, _) ->"
                       "    Now = erlang:monotonic_time(nanosecond),"
                       "    Next = atomics:add_get(Count, 1, 1),"
                       "    atomics:put(Times, Next, Now),"
                       "    ?MODULE:loop(Count, Times, ~b).",
                       [Version, Version, Version])
         | [io_lib:format("~s(X) -> X + ~b.", [N, Version]) || N <- Names]],
    Forms = [form(lists:flatten(string:replace(Text, "?MODULE", "bench_code",
                                               all)))
             || Text <- Texts],
    {ok, bench_code, Binary} = compile:forms(Forms, [no_line_info]),
    Binary.

form(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text),
    {ok, Form} = erl_parse:parse_form(Tokens),
    Form.

%% The version that is not loaded, prepared; the one before is purged.
prepare(Functions) ->
    Version = persistent_term:get({?MODULE, version}, 0),
    persistent_term:put({?MODULE, version}, 1 - Version),
    code:purge(bench_code),
    {ok, Prepared} =
        code:prepare_loading([{bench_code, "", binary(Functions, Version)}]),
    {Version, Prepared}.

load(Functions) ->
    {_, Prepared} = prepare(Functions),
    ok = code:finish_loading(Prepared).

%% Microseconds.
commit(Functions) ->
    {_, Prepared} = prepare(Functions),
    Begin = now_ns(),
    ok = code:finish_loading(Prepared),
    io_lib:format("~.3f", [(now_ns() - Begin) / 1000]).

processes(Count, Fun) ->
    [spawn_link(Fun) || _ <- lists:seq(1, Count)].

stop(Processes) ->
    References = [monitor(process, P) || P <- Processes],
    [begin unlink(P), exit(P, kill) end || P <- Processes],
    [receive {'DOWN', R, _, _, _} -> ok end || R <- References].

%% Waits until so many have been counted.
await(Counter, Count) ->
    case atomics:get(Counter, 1) of
        Count -> ok;
        _ -> erlang:yield(), await(Counter, Count)
    end.

%% From the load until 99.9 % of so many processes are in the new version, each
%% with its own turns; milliseconds. They all start in another one than the
%% first, so that they count themselves once before.
adopt(Count) ->
    load(1),
    Counter = atomics:new(1, []),
    Times = atomics:new(2 * Count, []),
    All = processes(Count, fun() -> bench_code:loop(Counter, Times, none) end),
    await(Counter, Count),
    {_, Prepared} = prepare(1),
    Begin = now_ns(),
    ok = code:finish_loading(Prepared),
    await(Counter, 2 * Count),
    Took = atomics:get(Times, Count + (Count * 999 + 999) div 1000) - Begin,
    stop(All),
    io_lib:format("~.4f", [Took / 1.0e6]).

%% From the load that replaces a module until it is gone, while so many
%% processes wait that never used it; milliseconds.
free(Count) ->
    load(1),
    All = processes(Count, fun() -> receive never -> ok end end),
    {_, Prepared} = prepare(1),
    Begin = now_ns(),
    ok = code:finish_loading(Prepared),
    code:purge(bench_code),
    Took = now_ns() - Begin,
    stop(All),
    io_lib:format("~.4f", [Took / 1.0e6]).

;; Calls that wait, but not for ever.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn tell [:String what :(Option Int) m]
  (print (match m
           [None (str what ": nothing in time")
            (Some v) (str what ": " v)])))

(defn main []
  (bind! [ch (chan 1)
          early (recv-for ch 10)
          _ (tell "recv-for" early)
          slow (spawn (fn [] (bind! [m (recv ch)]
                 (match m [None (pure 0) (Some v) (pure (* 2 v))]))))
          early (await-for slow 10)
          _ (tell "await-for" early)
          _ (send ch 21)
          late (await-for slow 60000)
          _ (tell "await-for" late)
          first (try-send ch 1)
          second (try-send ch 2)
          _ (print (str "try-send: " first ", then " second))
          m (select-for [ch] 60000)
          _ (tell "select-for" m)
          m (try-recv ch)]
    (tell "try-recv" m)))

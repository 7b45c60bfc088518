;; Requests with a channel for the answer: one task has the state, and others
;; ask it. The types file is this file: CRANELISP_TASKS_TYPES=server.cl.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(deftype Request
  (Add [:Int amount])
  (Total [:(Chan Int) answer-to]))

(families request Request)

(defn serve [requests :Int total]
  (match (recv requests)
    [(IOVal m)
      (match m
        [None (pure total)
         (Some request)
          (match request
            [(Add n) (serve requests (+ total n))
             (Total answer)
              (match (send answer total)
                [(IOVal _) (serve requests total)])])])]))

(defn ask [requests]
  (bind! [answer (chan 1)
          _ (send requests (Total answer))
          m (recv answer)]
    (match m [None (pure 0) (Some n) (pure n)])))

(defn main []
  (bind! [requests (chan 4)
          server (spawn (fn [] (serve requests 0)))
          _ (send requests (Add 3))
          _ (send requests (Add 4))
          total (ask requests)
          _ (print (show total))
          _ (send requests (Add 35))
          _ (close requests)
          last (await server)]
    (print (show last))))

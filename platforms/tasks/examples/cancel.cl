;; A canceled task learns of it by its calls that wait: they return at once. It
;; tidies up and has a result all the same.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn tick [ticks :Int n]
  (match (sleep-ms 1)
    [(IOVal slept)
      (if (= slept 0)
        (bind! [_ (close ticks)] (pure "told to end"))
        (match (send ticks n)
          [(IOVal _) (tick ticks (+ n 1))]))]))

(defn main []
  (bind! [ticks (chan 0)
          t (spawn (fn [] (tick ticks 0)))
          a (recv ticks)
          b (recv ticks)
          asked (cancel t)
          why (await t)
          again (cancel t)
          ended (task-done t)
          _ (print (match b [None "no tick" (Some n) (str "tick " n)]))
          _ (print (str "asked: " asked ", " why ", asked again: " again))]
    (print (show ended))))

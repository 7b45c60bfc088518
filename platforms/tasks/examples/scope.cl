;; A scope ends when all that was started in it has ended, so that nothing is
;; left behind; scope-for cancels what takes too long.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn note [log :String text]
  (send log text))

(defn nap [log]
  (bind! [slept (sleep-ms 3600000)]
    (note log (if (= slept 1) "slept for an hour" "was woken"))))

(defn main []
  (bind! [log (chan-unbounded)
          answer (scope (fn []
            (bind! [_ (spawn (fn [] (bind! [_ (sleep-ms 20)]
                                      (note log "child"))))]
              (pure 42))))
          _ (note log "after the scope")
          _ (scope-for 20 (fn []
            (bind! [_ (spawn (fn [] (nap log)))]
              (pure 0))))
          _ (note log "after the deadline")
          _ (close log)
          _ (chan-each (fn [:String text] (print text)) log)]
    (print (show answer))))

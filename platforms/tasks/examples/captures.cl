;; What a task's function has captured lives as long as the task needs it, also
;; when the let that it was made in has ended long ago.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn greet-later [:String name]
  (let [greeting (str-concat "hello, " name)
        body (fn [] (bind! [_ (sleep-ms 10)] (pure (str-concat greeting "!"))))]
    (spawn body)))

(defn main []
  (bind! [a (greet-later "first")
          b (greet-later "second")
          x (await a)
          y (await b)]
    (do
      (print x)
      (print y))))

;; Fan-out and fan-in: four tasks take work from one channel, and put results in
;; another. Who does what is by chance; the sum is not.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(defn work [jobs results]
  (chan-each (fn [:Int n] (send results (* n n))) jobs))

(defn start [:Int count jobs results]
  (if (= count 0)
    (pure 0)
    (match (spawn (fn [] (work jobs results)))
      [(IOVal _) (start (- count 1) jobs results)])))

;; The scope ends when all workers have; then no result can come any more.
(defn work-all [jobs results]
  (bind! [_ (scope (fn [] (start 4 jobs results)))]
    (close results)))

(defn feed [jobs :Int n]
  (if (= n 0)
    (close jobs)
    (match (send jobs n)
      [(IOVal _) (feed jobs (- n 1))])))

(defn main []
  (bind! [jobs (chan 8)
          results (chan 8)
          feeder (spawn (fn [] (feed jobs 100)))
          workers (spawn (fn [] (work-all jobs results)))
          sum (chan-reduce (fn [:Int acc :Int n] (+ acc n)) 0 results)
          _ (await feeder)
          _ (await workers)]
    (print (show sum))))

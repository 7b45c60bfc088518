; Three programs: (tasks/squares) (tasks/sums) (tasks/stream)
(defn squares []
  (fold + 0 (pmap (fn [n] (* n n)) [1 2 3 4 5 6 7 8])))

(defn sum-to [n acc]
  (if (= n 0) acc (sum-to (- n 1) (+ acc n))))

(defn sums []
  (let [a (spawn (fn [] (sum-to 1000000 0)))
        b (spawn (fn [] (sum-to 2000000 0)))]
    (+ (await a) (await b))))

(defn produce [c n]
  (if (= n 0) (close c) (do (send c n) (produce c (- n 1)))))

(defn drain [c acc]
  (recv [n c] (drain c (+ acc n)) acc))

(defn stream []
  (let [c (chan 16)
        producer (spawn (fn [] (produce c 1000)))
        total (drain c 0)]
    (do (await producer) total)))

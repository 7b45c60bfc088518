;; A type of the program. The types file beside it tells the platform of it:
;; platforms/tasks.types, where the program is started. `families` gives it
;; spawn, chan, pmap and the others.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(deftype Point (Point [:Int point-x :Int point-y]))
(deftype Shape Nothing (Circle [:Point circle-at :Int radius])
  (Polygon [:(List Point) corners]))

(families point Point)
(families shape Shape)

(defn swap [:Point p] (Point (point-y p) (point-x p)))
(defn text [:Point p] (str "(" (point-x p) ", " (point-y p) ")"))

(defn count-points [ps] (list-reduce (fn [:Int n p] (+ n 1)) 0 ps))

(defn describe [:Shape s]
  (match s
    [Nothing "nothing"
     (Circle at r) (str "circle of " r " at " (text at))
     (Polygon ps) (str "polygon of " (count-points ps))]))

(defn main []
  (bind! [swapped (pmap swap [(Point 1 2) (Point 3 4) (Point 5 6)])
          _ (print (text (vec-get swapped 2)))
          t (spawn (fn [] (pure (Point 7 8))))
          p (await t)
          shapes (chan 3)
          _ (send shapes (Circle p 9))
          _ (send shapes (Polygon (list p p p)))
          _ (send shapes Nothing)
          _ (close shapes)
          _ (chan-each (fn [s] (print (describe s))) shapes)]
    (print "done")))

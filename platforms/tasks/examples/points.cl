;; A type of the program. The platform reads it from this very file, which is
;; its types file: CRANELISP_TASKS_TYPES=points.cl. `families` gives the type
;; spawn, chan, pmap and the others; `family` adds one with parameters, which
;; has functions of its own.
(platform stdio)
(import [platform.stdio [*] concurrency [*] primitives [IOVal]])

(deftype Point "A point (of a plane)" [:Int point-x :Int point-y])
(deftype Shape Nothing (Circle [:Point circle-at :Int radius])
  (Polygon [:(List Point) corners]))

(families point Point)
(families shape Shape)

(deftype (Both a b) [:a one :b other])
(family point-and-text (Both Point String))

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
          _ (chan-each (fn [s] (print (describe s))) shapes)
          named (spawn-point-and-text (fn [] (pure (Both p "here"))))
          both (await named)]
    (print (str (other both) ": " (text (one both))))))
